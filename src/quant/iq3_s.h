// IQ3_S: 256 weights in 110 bytes, 8 sub-blocks of 32.  w = d * (2 * scale + 1) * +-grid.
//   0-1     d       f16
//   2-65    qs      low 8 bits of the grid index, a byte for every four weights
//   66-73   qh      top bit of the index of four-group k: bit k % 8 of byte k / 8
//   74-105  signs   a mask for each group of eight: bit j set = weight j negative
//   106-109 scales  sub-block s: byte s / 2, low nibble for even s
#pragma once
#include "quant/block.h"
#include "quant/codebooks.h"

namespace assay {

struct BlockIQ3_S {
  static constexpr QuantFacts facts{.name = "IQ3_S", .id = 21, .sub_elems = 32};
  uint16_t d;
  uint8_t qs[64];
  uint8_t qh[8];
  uint8_t signs[32];
  uint8_t scales[4];

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d);
    for (size_t s = 0; s < 8; ++s) out.scale[s] = int16_t(2 * (scales[s / 2] >> (4 * (s % 2)) & 15) + 1);
    for (size_t i = 0; i < 256; ++i) {
      const size_t k = i / 4;
      const uint32_t entry = kIq3sGrid[qs[k] | (qh[k / 8] >> (k % 8) & 1) << 8];
      out.q[i] = with_sign(grid_value(entry, i % 4), signs[i / 8], i % 8);
    }
  }
};
static_assert(sizeof(BlockIQ3_S) == 110);

}  // namespace assay
