// IQ1_M: 256 weights in 56 bytes, 16 sub-blocks of 16.  w = d * (2 * scale + 1) * (grid +- 1/8), as IQ1_S.
//   0-31  qs      low 8 bits of the grid index, a byte for each group of eight
//   32-47 qh      group g: byte g / 2, low nibble for even g: bit 3 the shift is -1/8 | 2-0 top index bits
//   48-55 scales  four u16, word t: bits 15-12 bits 4t..4t+3 of d, an f16
//                 | 11-9, 8-6, 5-3, 2-0 scales of sub-blocks 4t + 3, 4t + 2, 4t + 1, 4t
#pragma once
#include "quant/block.h"
#include "quant/codebooks.h"

namespace assay {

struct BlockIQ1_M {
  static constexpr QuantFacts facts{.name = "IQ1_M", .id = 29, .sub_elems = 16};
  uint8_t qs[32];
  uint8_t qh[16];
  uint16_t scales[4];

  void integers(IntegerBlock& out) const noexcept {
    uint32_t d = 0;
    for (size_t t = 0; t < 4; ++t) d |= uint32_t(scales[t] >> 12) << (4 * t);
    out.d = half_to_float(uint16_t(d)) * 0.125f;
    for (size_t s = 0; s < 16; ++s) out.scale[s] = int16_t(2 * (scales[s / 4] >> (3 * (s % 4)) & 7) + 1);
    for (size_t g = 0; g < 32; ++g) {
      const int nibble = qh[g / 2] >> (4 * (g % 2)) & 15;
      const uint64_t entry = kIq1sGrid[qs[g] | (nibble & 7) << 8];
      const int shift = nibble & 8 ? -1 : 1;
      for (size_t j = 0; j < 8; ++j) out.q[8 * g + j] = int8_t(8 * grid_value(entry, j) + shift);
    }
  }
};
static_assert(sizeof(BlockIQ1_M) == 56);

}  // namespace assay
