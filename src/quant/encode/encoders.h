// The encoders behind encode_rows, by family, and what they share.
#pragma once
#include <array>
#include <cstddef>
#include <cstring>

#include "quant/encode/encode.h"

namespace assay {

/// One block: block_elems values (finite, magnitude at most the encoder's `largest`) and as many importance
/// weights (finite, not negative, largest near 1 unless all are zero) -> block_bytes at `out`.
using EncodeBlock = void (*)(const float* x, const float* importance, Effort effort, std::byte* out);

struct Encoder {
  uint32_t id;
  EncodeBlock encode;
  // No f16 scale times integers reaches further than 2^40; sums of squares of such values stay finite.
  float largest = 0x1p40f;
  // With an importance matrix, errors in large values count more than it says. For types so coarse that
  // following it to the letter loses in KL: docs/quantization.md.
  bool raises_large_values = false;
};

std::span<const Encoder> float_encoders() noexcept;          // F32 F16 BF16 MXFP4 NVFP4
std::span<const Encoder> single_scale_encoders() noexcept;   // Q4_0 Q5_0 Q8_0 IQ4_NL Q1_0 Q2_0 TQ1_0 TQ2_0
std::span<const Encoder> single_affine_encoders() noexcept;  // Q4_1 Q5_1
std::span<const Encoder> k_symmetric_encoders() noexcept;    // Q3_K Q6_K IQ4_XS
std::span<const Encoder> k_affine_encoders() noexcept;       // Q2_K Q4_K Q5_K
std::span<const Encoder> grid_encoders() noexcept;           // IQ2_* IQ3_*
std::span<const Encoder> iq1_encoders() noexcept;            // IQ1_S IQ1_M

template <class Block>
void store_block(const Block& block, std::byte* out) noexcept {
  std::memcpy(out, &block, sizeof(block));
}

/// n points from first to last, evenly spaced.
template <size_t n>
constexpr std::array<float, n> evenly(float first, float last) {
  std::array<float, n> points{};
  for (size_t k = 0; k < n; ++k) points[k] = n > 1 ? first + (last - first) * float(k) / float(n - 1) : first;
  return points;
}
/// n points from `first`, each `ratio` times the one before.
template <size_t n>
constexpr std::array<float, n> geometric(float first, float ratio) {
  std::array<float, n> points{};
  for (size_t k = 0; k < n; ++k, first *= ratio) points[k] = first;
  return points;
}
/// `points`, then their negatives.
template <size_t n>
constexpr std::array<float, 2 * n> both_signs(const std::array<float, n>& points) {
  std::array<float, 2 * n> all{};
  for (size_t k = 0; k < n; ++k) {
    all[k] = points[k];
    all[n + k] = -points[k];
  }
  return all;
}

}  // namespace assay
