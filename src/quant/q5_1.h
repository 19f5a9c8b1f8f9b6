// Q5_1: 32 weights in 24 bytes.  w = d * q + m, q = nibble + 16 * high bit: dmin = m and min = -1, as Q4_1.
//   0-1  d   f16
//   2-3  m   f16
//   4-7  qh  32 bits, bit i is weight i's high bit
//   8-23 qs  split nibbles: byte j is weight j (low) and weight j + 16 (high)
#pragma once
#include <cstring>

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
  /// The inverse of integers(), for numbers that it can give.
  void pack(const IntegerBlock& in) noexcept {
    d = float_to_half(in.d);
    m = float_to_half(in.dmin);
    for (size_t j = 0; j < 16; ++j) qs[j] = uint8_t((in.q[j] & 15) | (in.q[j + 16] & 15) << 4);
    std::memset(qh, 0, sizeof(qh));
    for (size_t i = 0; i < 32; ++i) qh[i / 8] |= uint8_t((in.q[i] >> 4) << (i % 8));
  }
};
static_assert(sizeof(BlockQ5_1) == 24);

}  // namespace assay
