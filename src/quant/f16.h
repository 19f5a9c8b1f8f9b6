// F16: one IEEE binary16 a weight.
#pragma once
#include "quant/block.h"

namespace assay {

struct BlockF16 {
  static constexpr QuantFacts facts{
      .name = "F16", .id = 1, .block_elems = 1, .activations = Activations::f32};
  uint16_t bits;
  void dequantize(float* w) const noexcept { *w = half_to_float(bits); }
};
static_assert(sizeof(BlockF16) == 2);

}  // namespace assay
