// Writing safetensors files, the form of traces and dumps. Source of the format:
// github.com/huggingface/safetensors.
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace assay {

struct NamedTensor {
  std::string name;
  std::vector<size_t> shape;  // row-major
  std::vector<float> values;  // as many as the shape says
};

/// Writes the tensors as F32, in the order given, under unique names. `metadata` has text keys and values.
/// Throws UsageError or MachineError; nothing half-written stays.
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       std::span<const std::pair<std::string, std::string>> metadata);

}  // namespace assay
