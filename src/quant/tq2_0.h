// TQ2_0: 256 ternary weights in 66 bytes.  w = d * q, q = two-bit code - 1.
//   0-63  qs  two-bit codes (two_bit_code)
//   64-65 d   f16
#pragma once
#include "quant/block.h"

namespace assay {

struct BlockTQ2_0 {
  static constexpr QuantFacts facts{.name = "TQ2_0", .id = 35};
  uint8_t qs[64];
  uint16_t d;

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d);
    out.scale[0] = 1;
    for (size_t i = 0; i < 256; ++i) out.q[i] = int8_t(two_bit_code(qs, i) - 1);
  }
  /// The inverse of integers(), for numbers that it can give.
  void pack(const IntegerBlock& in) noexcept {
    d = float_to_half(in.d);
    pack_two_bit_codes(in.q, 1, qs);
  }
};
static_assert(sizeof(BlockTQ2_0) == 66);

}  // namespace assay
