#include "diagnose/compare/file_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

namespace assay {

double bits_per_weight(const GgufFile& file) {
  double n_weights = 0, n_bytes = 0;
  for (const TensorInfo& tensor : file.tensors()) {
    n_weights += double(tensor.n_elements);
    n_bytes += double(tensor.n_bytes);
  }
  return n_weights > 0 ? 8 * n_bytes / n_weights : 0;
}

std::string type_mix(const GgufFile& file) {
  struct Sum {
    const QuantType* type;
    uint64_t n_bytes = 0;
    size_t n_tensors = 0;
  };
  std::map<uint32_t, Sum> by_id;
  for (const TensorInfo& tensor : file.tensors()) {
    Sum& sum = by_id.try_emplace(tensor.type->id, Sum{tensor.type}).first->second;
    sum.n_bytes += tensor.n_bytes;
    ++sum.n_tensors;
  }
  std::vector<Sum> sums;
  for (const auto& [id, sum] : by_id) sums.push_back(sum);
  std::stable_sort(sums.begin(), sums.end(),
                   [](const Sum& a, const Sum& b) { return a.n_bytes > b.n_bytes; });
  std::string text;
  for (const Sum& sum : sums)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", sum.type->name, sum.n_tensors);
  return text;
}

bool is_quantized(const GgufFile& file) {
  return std::any_of(file.tensors().begin(), file.tensors().end(),
                     [](const TensorInfo& tensor) { return tensor.type->block_elems > 1; });
}

}  // namespace assay
