// Q4_1: 32 weights in 20 bytes.  w = d * q + m, q = nibble: in the table's formula dmin = m and min = -1.
//   0-1  d   f16
//   2-3  m   f16
//   4-19 qs  split nibbles: byte j is weight j (low) and weight j + 16 (high)
#pragma once
#include "quant/block.h"

namespace assay {

struct BlockQ4_1 {
  static constexpr QuantFacts facts{
      .name = "Q4_1", .id = 3, .block_elems = 32, .has_mins = true, .activations = Activations::q8_0};
  uint16_t d, m;
  uint8_t qs[16];

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d);
    out.dmin = half_to_float(m);
    out.scale[0] = 1;
    out.min[0] = -1;
    for (size_t i = 0; i < 32; ++i) out.q[i] = int8_t(split_nibble(qs, i));
  }
  /// The inverse of integers(), for numbers that it can give.
  void pack(const IntegerBlock& in) noexcept {
    d = float_to_half(in.d);
    m = float_to_half(in.dmin);
    for (size_t j = 0; j < 16; ++j) qs[j] = uint8_t(in.q[j] | in.q[j + 16] << 4);
  }
};
static_assert(sizeof(BlockQ4_1) == 20);

}  // namespace assay
