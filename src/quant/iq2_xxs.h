// IQ2_XXS: 256 weights in 66 bytes, 8 sub-blocks of 32.  w = d/8 * (2 * scale + 1) * +-grid.
//   0-1  d   f16
//   2-65 qs  8 bytes a sub-block: four grid indices, one for each group of eight weights, then a u32:
//            bits 31-28 scale | 27-21, 20-14, 13-7, 6-0 sign codes of groups 3, 2, 1, 0
#pragma once
#include <cstring>
#include "quant/block.h"
#include "quant/codebooks.h"

namespace assay {

struct BlockIQ2_XXS {
  static constexpr QuantFacts facts{.name = "IQ2_XXS", .id = 16, .sub_elems = 32};
  uint16_t d;
  uint8_t qs[64];

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d) * 0.125f;
    for (size_t s = 0; s < 8; ++s) {
      const uint8_t* index = qs + 8 * s;
      uint32_t signs_and_scale;
      std::memcpy(&signs_and_scale, index + 4, 4);
      out.scale[s] = int16_t(2 * (signs_and_scale >> 28) + 1);
      for (size_t g = 0; g < 4; ++g) {
        const uint64_t entry = kIq2xxsGrid[index[g]];
        const uint32_t mask = sign_mask(signs_and_scale >> (7 * g));
        for (size_t j = 0; j < 8; ++j) out.q[32 * s + 8 * g + j] = with_sign(grid_value(entry, j), mask, j);
      }
    }
  }
};
static_assert(sizeof(BlockIQ2_XXS) == 66);

}  // namespace assay
