#include "quant/encode/encode.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "quant/encode/encoders.h"
#include "quant/encode/lanes.h"

namespace assay {
namespace {

const Encoder& encoder_of(const QuantType& type) {
  for (const auto family : {float_encoders(), single_scale_encoders(), single_affine_encoders(),
                            k_symmetric_encoders(), k_affine_encoders(), grid_encoders(), iq1_encoders()})
    for (const Encoder& encoder : family)
      if (encoder.id == type.id) return encoder;
  throw UsageError("no encoder for " + std::string(type.name));
}

/// Copies a row, values beyond `largest` becoming it. False when one is NaN or infinite. Without a branch a
/// value, so that it costs little beside the encoder.
bool copy_clamped(const float* x, size_t n, float largest, float* out) {
  constexpr float kMax = std::numeric_limits<float>::max();
  size_t i = 0;
  Lanes sum = all_lanes(0);
  for (; i + kLanes <= n; i += kLanes) {
    const Lanes v = load_lanes(x + i);
    sum += v - clamp_lanes(v, -kMax, kMax);  // 0, or not finite: for good
    store_lanes(out + i, clamp_lanes(v, -largest, largest));
  }
  float rest = sum_lanes(sum);
  for (; i < n; ++i) {
    rest += x[i] - std::clamp(x[i], -kMax, kMax);
    out[i] = std::clamp(x[i], -largest, largest);
  }
  return rest == 0;
}

/// `importance` with the largest weight of each block made 1: the encoders compare sums within a block only.
std::vector<float> scaled_importance(std::span<const float> importance, size_t n_cols, size_t block_elems) {
  if (importance.empty()) return std::vector<float>(n_cols, 1.0f);
  if (importance.size() != n_cols)
    throw UsageError("importance has " + std::to_string(importance.size()) + " weights for " +
                     std::to_string(n_cols) + " columns");
  std::vector<float> scaled(importance.begin(), importance.end());
  for (size_t first = 0; first < n_cols; first += block_elems) {
    float largest = 0;
    for (size_t i = first; i < first + block_elems; ++i) {
      if (!(scaled[i] >= 0) || !std::isfinite(scaled[i]))
        throw UsageError("importance of column " + std::to_string(i) + " is " + std::to_string(scaled[i]));
      largest = std::max(largest, scaled[i]);
    }
    for (size_t i = first; i < first + block_elems; ++i) scaled[i] = largest > 0 ? scaled[i] / largest : 1.0f;
  }
  return scaled;
}

/// importance * sqrt(2 mean square of the row + x^2), in units of the row's root mean square. The formula is
/// llama.cpp's (ggml-quants.c), there by super-block.
void raise_large_values(std::span<const float> x, std::span<const float> importance,
                        std::vector<float>& out) {
  double squares = 0;
  for (const float v : x) squares += double(v) * double(v);
  const double inverse = squares > 0 ? double(x.size()) / squares : 0;
  for (size_t i = 0; i < x.size(); ++i)
    out[i] = importance[i] * std::sqrt(2 + float(double(x[i]) * double(x[i]) * inverse));
}

}  // namespace

NotFinite::NotFinite(size_t row_, size_t col_, float value)
    : UsageError("row " + std::to_string(row_) + ", column " + std::to_string(col_) + " is " +
                 (std::isnan(value) ? "NaN"
                  : value > 0       ? "infinity"
                                    : "-infinity")),
      row(row_),
      col(col_) {}

void encode_rows(const QuantType& type, const float* rows, size_t n_rows, size_t n_cols,
                 const EncodeRowsOptions& options, std::byte* out) {
  if (n_cols % type.block_elems != 0)
    throw UsageError(std::to_string(n_cols) + " columns are not whole blocks of " +
                     std::to_string(type.block_elems) + " (" + std::string(type.name) + ")");
  const Encoder& encoder = encoder_of(type);
  const std::vector<float> importance = scaled_importance(options.importance, n_cols, type.block_elems);
  const bool is_weighted =
      encoder.raises_large_values &&
      std::any_of(options.importance.begin(), options.importance.end(), [](float v) { return v > 0; });
  std::vector<float> x(n_cols), weight = importance;
  for (size_t row = 0; row < n_rows; ++row, rows += n_cols) {
    if (!copy_clamped(rows, n_cols, encoder.largest, x.data())) {
      const float* bad = std::find_if_not(rows, rows + n_cols, [](float v) { return std::isfinite(v); });
      throw NotFinite(row, size_t(bad - rows), *bad);
    }
    if (is_weighted) raise_large_values(x, importance, weight);
    for (size_t col = 0; col < n_cols; col += type.block_elems, out += type.block_bytes)
      encoder.encode(x.data() + col, weight.data() + col, options.effort, out);
  }
}

}  // namespace assay
