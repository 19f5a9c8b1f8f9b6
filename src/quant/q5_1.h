// Q5_1: 32 weights in 24 bytes.  w = d * q + m, q = nibble + 16 * high bit: dmin = m and min = -1, as Q4_1.
//   0-1  d   f16
//   2-3  m   f16
//   4-7  qh  32 bits, bit i is weight i's high bit
//   8-23 qs  split nibbles: byte j is weight j (low) and weight j + 16 (high)
#pragma once
#include "quant/block.h"

namespace assay {

struct BlockQ5_1 {
  static constexpr QuantFacts facts{
      .name = "Q5_1", .id = 7, .block_elems = 32, .has_mins = true, .activations = Activations::q8_0};
  uint16_t d, m;
  uint8_t qh[4];
  uint8_t qs[16];

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d);
    out.dmin = half_to_float(m);
    out.scale[0] = 1;
    out.min[0] = -1;
    for (size_t i = 0; i < 32; ++i) out.q[i] = int8_t(split_nibble(qs, i) | (qh[i / 8] >> (i % 8) & 1) << 4);
  }
};
static_assert(sizeof(BlockQ5_1) == 24);

}  // namespace assay
