#include "diagnose/dumps/safetensors_writer.h"

#include <bit>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"

namespace assay {

// A u64 with the header's length, the header in JSON padded with spaces to whole 8 bytes, the tensors' bytes.
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       std::span<const std::pair<std::string, std::string>> metadata) {
  static_assert(std::endian::native == std::endian::little, "the file's numbers are little-endian");
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  for (const auto& [key, value] : metadata) header["__metadata__"][key] = value;
  uint64_t offset = 0;
  for (const NamedTensor& tensor : tensors) {
    const uint64_t end = offset + tensor.values.size() * sizeof(float);
    header[tensor.name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t n_header = text.size();

  AtomicFile file(path);
  file.reserve(sizeof n_header + n_header + offset);
  file.write(std::as_bytes(std::span(&n_header, 1)));
  file.write(text);
  for (const NamedTensor& tensor : tensors) file.write(std::as_bytes(std::span(tensor.values)));
  file.commit();
}

}  // namespace assay
