// IQ3_XXS: 256 weights in 98 bytes, 8 sub-blocks of 32.  w = d/4 * (2 * scale + 1) * +-grid.
//   0-1   d                f16
//   2-65  qs               grid index, a byte for every four weights
//   66-97 signs_and_scale  a u32 a sub-block:
//         bits 31-28 scale | 27-21, 20-14, 13-7, 6-0 sign codes of its groups of eight 3, 2, 1, 0
#pragma once
#include <cstring>
#include "quant/block.h"
#include "quant/codebooks.h"

namespace assay {

struct BlockIQ3_XXS {
  static constexpr QuantFacts facts{.name = "IQ3_XXS", .id = 18, .sub_elems = 32};
  uint16_t d;
  uint8_t qs[64];
  uint8_t signs_and_scale[32];

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d) * 0.25f;
    for (size_t s = 0; s < 8; ++s) {
      uint32_t word;
      std::memcpy(&word, signs_and_scale + 4 * s, 4);
      out.scale[s] = int16_t(2 * (word >> 28) + 1);
      for (size_t i = 0; i < 32; ++i) {
        const uint32_t entry = kIq3xxsGrid[qs[8 * s + i / 4]];
        out.q[32 * s + i] = with_sign(grid_value(entry, i % 4), sign_mask(word >> (7 * (i / 8))), i % 8);
      }
    }
  }
};
static_assert(sizeof(BlockIQ3_XXS) == 98);

}  // namespace assay
