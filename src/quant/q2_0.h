// Q2_0: 64 weights in 18 bytes.  w = d * q, q = two-bit code - 1: -1, 0, 1 or 2.
//   0-1  d   f16
//   2-17 qs  weight i is bits 2 * (i % 4) and the next of byte i / 4
#pragma once
#include <cstring>

#include "quant/block.h"

namespace assay {

struct BlockQ2_0 {
  static constexpr QuantFacts facts{
      .name = "Q2_0", .id = 42, .block_elems = 64, .activations = Activations::q8_0};
  uint16_t d;
  uint8_t qs[16];

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d);
    out.scale[0] = 1;
    for (size_t i = 0; i < 64; ++i) out.q[i] = int8_t((qs[i / 4] >> (2 * (i % 4)) & 3) - 1);
  }
  /// The inverse of integers(), for numbers that it can give.
  void pack(const IntegerBlock& in) noexcept {
    d = float_to_half(in.d);
    std::memset(qs, 0, sizeof(qs));
    for (size_t i = 0; i < 64; ++i) qs[i / 4] |= uint8_t((in.q[i] + 1) << (2 * (i % 4)));
  }
};
static_assert(sizeof(BlockQ2_0) == 18);

}  // namespace assay
