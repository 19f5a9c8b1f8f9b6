// IQ1_S: 256 weights in 50 bytes, 8 sub-blocks of 32.  w = d * (2 * scale + 1) * (grid +- 1/8), grid in -1,
// 0, 1: in the table's formula d/8 and q = 8 * grid +- 1.
//   0-1   d   f16
//   2-33  qs  low 8 bits of the grid index, a byte for each group of eight
//   34-49 qh  a u16 a sub-block: bit 15 the shift is -1/8 | 14-12 scale | 11-9, 8-6, 5-3, 2-0 top index bits
//             of groups 3, 2, 1, 0
#pragma once
#include "quant/block.h"
#include "quant/codebooks.h"

namespace assay {

struct BlockIQ1_S {
  static constexpr QuantFacts facts{.name = "IQ1_S", .id = 19, .sub_elems = 32};
  uint16_t d;
  uint8_t qs[32];
  uint16_t qh[8];

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d) * 0.125f;
    for (size_t s = 0; s < 8; ++s) {
      out.scale[s] = int16_t(2 * (qh[s] >> 12 & 7) + 1);
      const int shift = qh[s] & 0x8000 ? -1 : 1;
      for (size_t g = 0; g < 4; ++g) {
        const uint64_t entry = kIq1sGrid[qs[4 * s + g] | (qh[s] >> (3 * g) & 7) << 8];
        for (size_t j = 0; j < 8; ++j) out.q[32 * s + 8 * g + j] = int8_t(8 * grid_value(entry, j) + shift);
      }
    }
  }
};
static_assert(sizeof(BlockIQ1_S) == 50);

}  // namespace assay
