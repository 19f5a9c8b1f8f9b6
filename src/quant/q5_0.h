// Q5_0: 32 weights in 22 bytes.  w = d * q, q = nibble + 16 * high bit - 16.
//   0-1  d   f16
//   2-5  qh  32 bits, bit i is weight i's high bit
//   6-21 qs  split nibbles: byte j is weight j (low) and weight j + 16 (high)
#pragma once
#include "quant/block.h"

namespace assay {

struct BlockQ5_0 {
  static constexpr QuantFacts facts{
      .name = "Q5_0", .id = 6, .block_elems = 32, .activations = Activations::q8_0};
  uint16_t d;
  uint8_t qh[4];
  uint8_t qs[16];

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d);
    out.scale[0] = 1;
    for (size_t i = 0; i < 32; ++i)
      out.q[i] = int8_t((split_nibble(qs, i) | (qh[i / 8] >> (i % 8) & 1) << 4) - 16);
  }
};
static_assert(sizeof(BlockQ5_0) == 22);

}  // namespace assay
