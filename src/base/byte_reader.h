// A cursor over the bytes of a file in which nothing is trusted: every read is proved against the bytes that
// are left.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/load_error.h"

namespace assay {

static_assert(std::endian::native == std::endian::little,
              "model files are read in place: little-endian machines only");

/// Reads forward only. `item` of each read names what is read and appears in the error when the bytes end
/// before it does.
class ByteReader {
 public:
  /// `bytes` are the start of a file called `file`; both must outlive the reader.
  ByteReader(std::span<const std::byte> bytes, const std::string& file) : bytes_(bytes), file_(&file) {}

  uint64_t offset() const { return offset_; }
  uint64_t left() const { return bytes_.size() - offset_; }
  /// The place of the next byte, for errors about what it belongs to.
  Place place(std::string_view item) const { return place_at(item, offset_); }
  Place place_at(std::string_view item, uint64_t offset) const { return {*file_, printable(item), offset}; }

  /// The next n_bytes, which may be any number. Throws Truncated.
  std::span<const std::byte> take(uint64_t n_bytes, std::string_view item) {
    if (n_bytes > left()) refuse(n_bytes, item);
    const auto taken = bytes_.subspan(size_t(offset_), size_t(n_bytes));
    offset_ += n_bytes;
    return taken;
  }
  /// The next sizeof(T) bytes as a little-endian number. Throws Truncated.
  template <class T>
  T number(std::string_view item) {
    T value;
    std::memcpy(&value, take(sizeof(T), item).data(), sizeof(T));
    return value;
  }
  /// Proves, before anything is allocated for them, that n_records of at least record_bytes each can be
  /// there. Throws Truncated.
  void expect(uint64_t n_records, uint64_t record_bytes, std::string_view item) const;

 private:
  [[noreturn]] void refuse(uint64_t n_bytes, std::string_view item) const;

  std::span<const std::byte> bytes_;
  const std::string* file_;
  uint64_t offset_ = 0;
};

}  // namespace assay
