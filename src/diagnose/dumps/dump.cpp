#include "diagnose/dumps/dump.h"

#include <fmt/format.h>

#include <cstring>

#include "base/byte_reader.h"
#include "base/half.h"
#include "base/nearest_name.h"

namespace assay {
namespace {

constexpr size_t kMaxDims = 8;

bool begins_with(std::span<const std::byte> bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

template <class Stored, class Out, class Widen>
void widen(std::span<const std::byte> bytes, uint64_t first, std::span<Out> out, const Widen& to_float) {
  bytes = bytes.subspan(first * sizeof(Stored), out.size() * sizeof(Stored));
  for (size_t i = 0; i < out.size(); ++i) {
    Stored value;
    std::memcpy(&value, bytes.data() + i * sizeof(Stored), sizeof value);
    out[i] = Out(to_float(value));
  }
}

template <class Out>
void read_values(const DumpTensor& tensor, uint64_t first, std::span<Out> out) {
  const auto same = [](auto value) { return value; };
  switch (tensor.type) {
    case DumpType::f16:
      return widen<uint16_t>(tensor.bytes, first, out, half_to_float);
    case DumpType::bf16:
      return widen<uint16_t>(tensor.bytes, first, out, bf16_to_float);
    case DumpType::f32:
      return widen<float>(tensor.bytes, first, out, same);
    case DumpType::f64:
      return widen<double>(tensor.bytes, first, out, same);
  }
}

}  // namespace

std::string_view dump_type_name(DumpType type) noexcept {
  constexpr std::string_view kNames[] = {"f16", "bf16", "f32", "f64"};
  return kNames[size_t(type)];
}

size_t dump_type_bytes(DumpType type) noexcept {
  constexpr size_t kBytes[] = {2, 2, 4, 8};
  return kBytes[size_t(type)];
}

double dump_type_rounding(DumpType type) noexcept {
  constexpr double kRounding[] = {0x1p-11, 0x1p-8, 0x1p-24, 0x1p-24};  // f64 is read as f32
  return kRounding[size_t(type)];
}

void DumpTensor::read(uint64_t first, std::span<float> out) const {
  read_values(*this, first, out);
}

void DumpTensor::read(uint64_t first, std::span<double> out) const {
  read_values(*this, first, out);
}

std::vector<float> DumpTensor::f32() const {
  std::vector<float> values(n_values);
  read(0, std::span(values));
  return values;
}

std::string shape_text(std::span<const uint64_t> shape) {
  return fmt::format("({})", fmt::join(shape, ", "));
}

void measure_dump_tensor(DumpTensor& tensor, const Place& place) {
  if (tensor.shape.size() > kMaxDims)
    throw BadValue(place,
                   fmt::format("has {} dimensions, at most {} are read", tensor.shape.size(), kMaxDims));
  constexpr uint64_t kMostValues = uint64_t(1) << 58;  // whose bytes still have a 64-bit count
  uint64_t n_values = 1;
  for (const uint64_t n : tensor.shape) {
    if (n != 0 && n_values > kMostValues / n)
      throw BadValue(place, fmt::format("shape {} has more numbers than any file", shape_text(tensor.shape)));
    n_values *= n;
  }
  tensor.n_values = n_values;
}

Dump Dump::parse(std::span<const std::byte> bytes, std::string name) {
  Dump dump;
  dump.name_ = std::move(name);
  const Place start{dump.name_, "first bytes", 0};
  if (begins_with(bytes, "\x93NUMPY")) {
    dump.read_npy(bytes);
  } else if (begins_with(bytes, "PK")) {
    throw Unsupported(
        start,
        "are those of a zip archive (.npz, a PyTorch .pt): save the array itself, with np.save or "
        "safetensors");
  } else if (begins_with(bytes, "GGUF")) {
    throw Unsupported(start, "are those of a GGUF file; a dump is .npy or .safetensors");
  } else {
    dump.read_safetensors(bytes);
  }
  return dump;
}

Dump Dump::open(const std::filesystem::path& path) {
  MappedFile map = MappedFile::open(path);
  Dump dump = parse(map.bytes(), map.path());
  dump.map_ = std::move(map);
  return dump;
}

const DumpTensor* Dump::find(std::string_view name) const {
  for (const DumpTensor& tensor : tensors_)
    if (tensor.name == name) return &tensor;
  return nullptr;
}

const DumpTensor& Dump::need(std::string_view name) const {
  if (const DumpTensor* tensor = find(name)) return *tensor;
  if (tensors_.size() == 1) return tensors_[0];
  if (tensors_.empty()) throw UsageError(printable(name_) + ": has no tensors");
  const std::string_view nearest =
      nearest_name(name, tensors_, [](const DumpTensor& t) -> std::string_view { return t.name; });
  throw UsageError(fmt::format("{}: has {} tensors and none called \"{}\"; the nearest name is \"{}\"",
                               printable(name_), tensors_.size(), printable(name), printable(nearest)));
}

Place Dump::place(const DumpTensor& tensor) const {
  return {name_, tensor.name.empty() ? "array" : printable(tensor.name), tensor.file_offset};
}

}  // namespace assay
