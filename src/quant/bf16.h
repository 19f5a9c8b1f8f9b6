// BF16: one bfloat16 a weight, the upper half of an f32.
#pragma once
#include "quant/block.h"

namespace assay {

struct BlockBF16 {
  static constexpr QuantFacts facts{
      .name = "BF16", .id = 30, .block_elems = 1, .activations = Activations::f32};
  uint16_t bits;
  void dequantize(float* w) const noexcept { *w = bf16_to_float(bits); }
};
static_assert(sizeof(BlockBF16) == 2);

}  // namespace assay
