// A file's bytes, mapped read-only.
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/positioned_file.h"

namespace assay {

/// Read-only view of a whole regular file. Move-only; the bytes live as long as the object. The file must not
/// shrink in the meantime: reading a byte that is gone raises SIGBUS, which only the program's front end can
/// turn into a message.
class MappedFile {
 public:
  /// Maps `path`. Throws UsageError (absent, a folder, not a regular file) or MachineError (permissions,
  /// mapping failed). An empty file gives an empty span.
  static MappedFile open(const std::filesystem::path& path);
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, n_bytes_}; }
  const std::string& path() const { return file_.path(); }

  /// Copies `range` (part of bytes()) to `out` by reading the file. For a long range this is faster than the
  /// map, whose pages cost a fault each (microseconds on some virtual machines), and a file that became
  /// shorter is an error instead of a signal. Throws Truncated, naming `item`; MachineError.
  void read(std::span<const std::byte> range, std::byte* out, std::string_view item) const;

  /// Tells the system that `range` (part of bytes()) is about to be read once from start to end. A hint.
  void will_read(std::span<const std::byte> range) const noexcept;

 private:
  PositionedFile file_;
  const std::byte* data_ = nullptr;
  size_t n_bytes_ = 0;
};

}  // namespace assay
