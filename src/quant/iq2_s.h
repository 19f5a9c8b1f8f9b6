// IQ2_S: 256 weights in 82 bytes, 16 sub-blocks of 16.  w = d/8 * (2 * scale + 1) * +-grid.
//   0-1   d       f16
//   2-33  qs      low 8 bits of the grid index, a byte for each group of eight
//   34-65 signs   a mask for each group of eight: bit j set = weight j negative
//   66-73 qh      top two bits of the index: group g in byte g / 4, bits 2 * (g % 4) and the next
//   74-81 scales  sub-block s: byte s / 2, low nibble for even s
#pragma once
#include "quant/block.h"
#include "quant/codebooks.h"

namespace assay {

struct BlockIQ2_S {
  static constexpr QuantFacts facts{.name = "IQ2_S", .id = 22, .sub_elems = 16};
  uint16_t d;
  uint8_t qs[32];
  uint8_t signs[32];
  uint8_t qh[8];
  uint8_t scales[8];

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d) * 0.125f;
    for (size_t s = 0; s < 16; ++s) out.scale[s] = int16_t(2 * (scales[s / 2] >> (4 * (s % 2)) & 15) + 1);
    for (size_t g = 0; g < 32; ++g) {
      const uint64_t entry = kIq2sGrid[qs[g] | (qh[g / 4] >> (2 * (g % 4)) & 3) << 8];
      for (size_t j = 0; j < 8; ++j) out.q[8 * g + j] = with_sign(grid_value(entry, j), signs[g], j);
    }
  }
};
static_assert(sizeof(BlockIQ2_S) == 82);

}  // namespace assay
