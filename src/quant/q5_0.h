// Q5_0: 32 weights in 22 bytes.  w = d * q, q = nibble + 16 * high bit - 16.
//   0-1  d   f16
//   2-5  qh  32 bits, bit i is weight i's high bit
//   6-21 qs  split nibbles: byte j is weight j (low) and weight j + 16 (high)
#pragma once
#include <cstring>

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
  /// The inverse of integers(), for numbers that it can give.
  void pack(const IntegerBlock& in) noexcept {
    d = float_to_half(in.d);
    for (size_t j = 0; j < 16; ++j) qs[j] = uint8_t(((in.q[j] + 16) & 15) | ((in.q[j + 16] + 16) & 15) << 4);
    std::memset(qh, 0, sizeof(qh));
    for (size_t i = 0; i < 32; ++i) qh[i / 8] |= uint8_t((in.q[i] >= 0) << (i % 8));
  }
};
static_assert(sizeof(BlockQ5_0) == 22);

}  // namespace assay
