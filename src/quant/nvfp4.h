// NVFP4: 64 weights in 36 bytes, 4 sub-blocks of 16.  w = scale * E2M1 value.
//   0-3  scales  unsigned E4M3, a byte a sub-block
//   4-35 qs      8 bytes a sub-block: byte j is its weight j (low) and weight j + 8 (high)
// A file can hold one more factor, the tensor NAME.scale, which multiplies the product, not these weights.
#pragma once
#include "quant/block.h"
#include "quant/codebooks.h"

namespace assay {

struct BlockNVFP4 {
  static constexpr QuantFacts facts{
      .name = "NVFP4", .id = 40, .block_elems = 64, .sub_elems = 16, .activations = Activations::f32};
  uint8_t scales[4];
  uint8_t qs[32];

  /// Half an E4M3 scale, for the doubled values. Bit 7 is ignored; 0x7F, NaN elsewhere, is 0 as in ggml.
  static float half_scale_of(uint8_t code) noexcept {
    const uint32_t exponent = (code >> 3) & 15u, mantissa = code & 7u;
    if (exponent == 15 && mantissa == 7) return 0;
    if (exponent == 0) return float(mantissa) * 0x1p-10f;
    return std::bit_cast<float>((exponent + 119) << 23 | mantissa << 20);
  }
  void dequantize(float* w) const noexcept {
    for (size_t i = 0; i < 64; ++i) {
      const int code = (qs[8 * (i / 16) + i % 8] >> (i % 16 < 8 ? 0 : 4)) & 15;
      w[i] = half_scale_of(scales[i / 16]) * float(kFp4DoubledValues[code]);
    }
  }
};
static_assert(sizeof(BlockNVFP4) == 36);

}  // namespace assay
