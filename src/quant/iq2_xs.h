// IQ2_XS: 256 weights in 74 bytes, 16 sub-blocks of 16.  w = d/8 * (2 * scale + 1) * +-grid.
//   0-1   d       f16
//   2-65  qs      a u16 for each group of eight: bits 15-9 sign code | 8-0 grid index
//   66-73 scales  sub-block s: byte s / 2, low nibble for even s
#pragma once
#include "quant/block.h"
#include "quant/codebooks.h"

namespace assay {

struct BlockIQ2_XS {
  static constexpr QuantFacts facts{.name = "IQ2_XS", .id = 17, .sub_elems = 16};
  uint16_t d;
  uint16_t qs[32];
  uint8_t scales[8];

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d) * 0.125f;
    for (size_t s = 0; s < 16; ++s) out.scale[s] = int16_t(2 * (scales[s / 2] >> (4 * (s % 2)) & 15) + 1);
    for (size_t g = 0; g < 32; ++g) {
      const uint64_t entry = kIq2xsGrid[qs[g] & 511];
      const uint32_t mask = sign_mask(qs[g] >> 9);
      for (size_t j = 0; j < 8; ++j) out.q[8 * g + j] = with_sign(grid_value(entry, j), mask, j);
    }
  }
};
static_assert(sizeof(BlockIQ2_XS) == 74);

}  // namespace assay
