// Q1_0: 128 weights in 18 bytes.  w = d * q, q = +1 when the weight's bit is set, else -1.
//   0-1  d   f16
//   2-17 qs  weight i is bit i % 8 of byte i / 8
#pragma once
#include <cstring>

#include "quant/block.h"

namespace assay {

struct BlockQ1_0 {
  static constexpr QuantFacts facts{
      .name = "Q1_0", .id = 41, .block_elems = 128, .activations = Activations::q8_0};
  uint16_t d;
  uint8_t qs[16];

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d);
    out.scale[0] = 1;
    for (size_t i = 0; i < 128; ++i) out.q[i] = int8_t(2 * (qs[i / 8] >> (i % 8) & 1) - 1);
  }
  /// The inverse of integers(), for numbers that it can give.
  void pack(const IntegerBlock& in) noexcept {
    d = float_to_half(in.d);
    std::memset(qs, 0, sizeof(qs));
    for (size_t i = 0; i < 128; ++i) qs[i / 8] |= uint8_t((in.q[i] > 0) << (i % 8));
  }
};
static_assert(sizeof(BlockQ1_0) == 18);

}  // namespace assay
