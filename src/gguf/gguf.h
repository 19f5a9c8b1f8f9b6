// GGUF files: bytes -> metadata and tensor directory. Versions 2 and 3, little-endian, one file or split.
// Source of the format: ggml's docs/gguf.md.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/load_error.h"
#include "base/mapped_file.h"
#include "gguf/name_index.h"
#include "quant/table.h"

namespace assay {

/// Types of metadata values, by their ids in the file.
enum class GgufType : uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12
};
/// "u8", "bool", "string"; "unknown" for a number that is none of them.
std::string_view gguf_type_name(GgufType type) noexcept;
/// Bytes of one stored value; 0 for strings and arrays, whose sizes differ, and for unknown types.
size_t gguf_type_bytes(GgufType type) noexcept;

/// An array of metadata. Strings are views into the map; numbers stay packed in the file's bytes (any
/// alignment).
struct Array {
  uint32_t element_type = 0;  // GgufType
  uint64_t n_elements = 0;
  std::span<const std::byte> numbers{};     // element types of fixed size, booleans one byte each
  std::vector<std::string_view> strings{};  // element type string
  std::vector<Array> arrays{};              // element type array
};

struct Value {
  GgufType type{};
  std::variant<uint64_t, int64_t, double, bool, std::string_view, Array> data{};
  uint64_t offset = 0;  // of the pair in its file
};

/// Element `i` < n_elements of an array of numbers or booleans: its uint64_t, int64_t, double or bool.
Value number_at(const Array& array, uint64_t i);

/// Key -> value in the file's order. Getters are typed: a value of a wrong type or out of range is a BadValue
/// naming the key and its offset, an absent key is nullopt (find) or Missing (need). Integers of any stored
/// width are accepted when the value fits. Not copied from the file: lives as long as its GgufFile.
class Metadata {
 public:
  struct Pair {
    std::string_view key;
    Value value;
  };
  Metadata() = default;
  /// `file` names the file in errors. Throws BadValue when two pairs have one key.
  Metadata(std::string file, std::vector<Pair> pairs);

  const std::vector<Pair>& pairs() const { return pairs_; }
  bool contains(std::string_view key) const { return index_.find(key).has_value(); }
  const Value* find(std::string_view key) const;  // null when absent

  std::optional<uint64_t> find_uint(std::string_view key) const;
  std::optional<int64_t> find_int(std::string_view key) const;
  std::optional<double> find_float(std::string_view key) const;  // f32, f64; NaN and infinities are BadValue
  std::optional<bool> find_bool(std::string_view key) const;
  std::optional<std::string_view> find_string(std::string_view key) const;
  const Array* find_array(std::string_view key) const;  // null when absent
  std::optional<std::vector<std::string_view>> find_strings(std::string_view key) const;
  std::optional<std::vector<int64_t>> find_ints(
      std::string_view key) const;  // array of any integer or bool type
  std::optional<std::vector<float>> find_floats(
      std::string_view key) const;  // array of f32 or f64; NaN is BadValue

  uint64_t need_uint(std::string_view key) const;
  double need_float(std::string_view key) const;
  std::string_view need_string(std::string_view key) const;

  /// The place of a key, for errors about its value. An absent key's place is where the pairs begin.
  Place place(std::string_view key) const;

 private:
  std::string file_;
  std::vector<Pair> pairs_;
  NameIndex index_;
};

struct TensorInfo {
  std::string_view name;
  const QuantType* type = nullptr;
  uint32_t n_dims = 0;
  uint64_t dims[4] = {1, 1, 1, 1};  // dims[0] is the row length (fastest)
  uint64_t n_elements = 0;
  uint64_t n_bytes = 0;
  uint64_t file_offset = 0;   // absolute, in file number `part`
  uint64_t entry_offset = 0;  // of its directory entry, for errors
  uint32_t part = 0;          // which file of a split

  uint64_t n_cols() const { return dims[0]; }
  uint64_t n_rows() const { return n_elements / dims[0]; }
};

/// An opened model file (with all its parts when split): everything proved against the bytes that are there.
class GgufFile {
 public:
  /// Opens `path`; for `NAME-00001-of-0000N.gguf` opens all parts and checks that they belong together; the
  /// metadata is the first part's. Throws LoadError (file, item, byte offset), UsageError, MachineError. The
  /// bytes of tensors are not touched.
  static GgufFile open(const std::filesystem::path& path);
  /// The same from memory, for tests and fuzzing; one part, `name` stands for the file in errors. `bytes`
  /// must outlive the result.
  static GgufFile parse(std::span<const std::byte> bytes, std::string name);

  uint32_t version() const { return version_; }
  uint64_t alignment() const { return alignment_; }
  const Metadata& metadata() const { return metadata_; }
  /// In the order of the directory, part after part.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  const TensorInfo* find(std::string_view name) const;  // null when absent
  std::span<const std::byte> data(const TensorInfo& tensor) const;
  /// All bytes of a part, whatever they are.
  std::span<const std::byte> bytes(uint32_t part = 0) const;
  const std::string& path(uint32_t part = 0) const;
  size_t n_parts() const { return parts_.size(); }
  uint64_t n_bytes() const;  // of all parts
  /// The place of a tensor's directory entry, for errors about it.
  Place place(const TensorInfo& tensor) const;
  /// Copies `range` to `out`: bytes that are mapped from this file's parts by reading the part (see
  /// MappedFile::read), others, such as a weight's that stand in for the file's, from where they are. Throws
  /// Truncated, naming `item`; MachineError.
  void read(std::span<const std::byte> range, std::byte* out, std::string_view item) const;
  /// A hint to the system: see MappedFile.
  void will_read(const TensorInfo& tensor) const noexcept;

 private:
  struct Part {
    MappedFile map;
    std::span<const std::byte> bytes;
    std::string name;
  };

  std::vector<Part> parts_;
  uint32_t version_ = 0;
  uint64_t alignment_ = 32;
  Metadata metadata_;
  std::vector<TensorInfo> tensors_;
  NameIndex tensor_index_;
};

}  // namespace assay
