// What a model file's tensors hold: statistics, single blocks taken apart, the same tensor of two files side
// by side.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "gguf/gguf.h"

namespace assay {

/// The tensor called `name`. Throws UsageError naming the file's nearest names.
const TensorInfo& need_tensor(const GgufFile& file, std::string_view name);

/// Of a tensor's dequantized values. NaNs and infinities are counted and left out of everything else.
struct TensorStats {
  static constexpr size_t kBins = 16;
  uint64_t n_values = 0, n_zero = 0, n_nan = 0, n_inf = 0;
  double min = 0, max = 0, mean = 0, std = 0;  // 0 when nothing is finite
  std::array<uint64_t, kBins> histogram{};     // equal bins from min to max

  double bin_begin(size_t bin) const { return min + (max - min) * double(bin) / double(kBins); }
};
TensorStats measure_tensor(const GgufFile& file, const TensorInfo& tensor);

/// One stored block.
struct BlockView {
  uint64_t index = 0;         // among the tensor's blocks
  uint64_t row = 0, col = 0;  // of its first value; row counts through all dimensions but the first
  uint64_t file_offset = 0;   // in the tensor's part
  std::span<const std::byte> bytes;
  std::optional<IntegerBlock> integers;  // types with an integer form
  std::vector<float> values;             // dequantized, block_elems
};
/// Throws UsageError when the tensor has no such block.
BlockView view_block(const GgufFile& file, const TensorInfo& tensor, uint64_t index);

/// How b differs from a, over their dequantized values. Pairs with a value that is not finite count as equal
/// when both are NaN or the same infinity, and stay out of the figures.
struct TensorDifference {
  uint64_t n_values = 0, n_equal = 0, n_not_finite = 0;  // n_not_finite: pairs
  double max_abs = 0;                                    // max |b - a|
  uint64_t worst = 0;                                    // where
  double relative_rms = 0;                               // norm(b - a) / norm(a); 0 when both are 0
  double cosine = 1;      // a . b / (norm(a) norm(b)); 1 when both are 0, 0 when one is
  double norm_ratio = 1;  // norm(b) / norm(a); 1 when both are 0
};
/// Throws UsageError when the shapes differ.
TensorDifference compare_tensors(const GgufFile& a_file, const TensorInfo& a, const GgufFile& b_file,
                                 const TensorInfo& b);

/// "(rows, cols)" as the code speaks of it: the file's dimensions backwards.
std::string shape_text(const TensorInfo& tensor);

}  // namespace assay
