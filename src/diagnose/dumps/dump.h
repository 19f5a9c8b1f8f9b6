// Numbers that another engine wrote: .npy and .safetensors, read in place and proved against the bytes that
// are there.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/load_error.h"
#include "base/mapped_file.h"

namespace assay {

enum class DumpType : uint8_t { f16, bf16, f32, f64 };
/// "f16", "bf16", "f32", "f64".
std::string_view dump_type_name(DumpType type) noexcept;
size_t dump_type_bytes(DumpType type) noexcept;
/// What rounding to the type changes a number by at most, relative to it; subnormals aside.
double dump_type_rounding(DumpType type) noexcept;

/// One array of a dump; `bytes` are the file's.
struct DumpTensor {
  std::string name;  // empty in a .npy
  DumpType type = DumpType::f32;
  std::vector<uint64_t> shape;  // row-major; empty: a single number
  uint64_t n_values = 0;
  std::span<const std::byte> bytes;
  uint64_t file_offset = 0;

  /// Values [first, first + out.size()), widened; f64 is rounded to f32.
  void read(uint64_t first, std::span<float> out) const;
  void read(uint64_t first, std::span<double> out) const;
  /// All of them.
  std::vector<float> f32() const;
};

/// "(3, 4)".
std::string shape_text(std::span<const uint64_t> shape);

class Dump {
 public:
  /// Opens a .npy (versions 1 to 3) or a .safetensors file, told apart by their first bytes. Throws LoadError
  /// with file, item and byte offset, UsageError, MachineError. Values are not touched.
  static Dump open(const std::filesystem::path& path);
  /// The same from memory, which must outlive the result; `name` stands for the file in errors.
  static Dump parse(std::span<const std::byte> bytes, std::string name);

  const std::string& path() const { return name_; }
  /// As the file's bytes have them.
  const std::vector<DumpTensor>& tensors() const { return tensors_; }
  /// A safetensors file's __metadata__.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const DumpTensor* find(std::string_view name) const;  // null when absent
  /// The tensor called `name`, or the only one of the file. Throws UsageError naming the nearest names.
  const DumpTensor& need(std::string_view name) const;
  Place place(const DumpTensor& tensor) const;

 private:
  void read_npy(std::span<const std::byte> bytes);
  void read_safetensors(std::span<const std::byte> bytes);

  MappedFile map_;
  std::string name_;
  std::vector<DumpTensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// Fills in n_values. Throws BadValue at `place` when the shape has too many dimensions or numbers for any
/// file.
void measure_dump_tensor(DumpTensor& tensor, const Place& place);

}  // namespace assay
