// F32: plain floats.
#pragma once
#include "quant/block.h"

namespace assay {

struct BlockF32 {
  static constexpr QuantFacts facts{
      .name = "F32", .id = 0, .block_elems = 1, .activations = Activations::f32};
  float value;
  void dequantize(float* w) const noexcept { *w = value; }
};
static_assert(sizeof(BlockF32) == 4);

}  // namespace assay
