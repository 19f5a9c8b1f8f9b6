// Q2_K: 256 weights in 84 bytes, 16 sub-blocks of 16.  w = d * scale * q - dmin * min, q in 0..3.
//   0-15  scales  a byte a sub-block: scale in bits 0-3, min in bits 4-7
//   16-79 qs      two-bit codes (two_bit_code)
//   80-81 d       f16
//   82-83 dmin    f16
#pragma once
#include "quant/block.h"

namespace assay {

struct BlockQ2_K {
  static constexpr QuantFacts facts{.name = "Q2_K", .id = 10, .sub_elems = 16, .has_mins = true};
  uint8_t scales[16];
  uint8_t qs[64];
  uint16_t d, dmin;

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d);
    out.dmin = half_to_float(dmin);
    for (size_t s = 0; s < 16; ++s) {
      out.scale[s] = scales[s] & 15;
      out.min[s] = scales[s] >> 4;
    }
    for (size_t i = 0; i < 256; ++i) out.q[i] = int8_t(two_bit_code(qs, i));
  }
  /// The inverse of integers(), for numbers that it can give.
  void pack(const IntegerBlock& in) noexcept {
    d = float_to_half(in.d);
    dmin = float_to_half(in.dmin);
    for (size_t s = 0; s < 16; ++s) scales[s] = uint8_t(in.scale[s] | in.min[s] << 4);
    pack_two_bit_codes(in.q, 0, qs);
  }
};
static_assert(sizeof(BlockQ2_K) == 84);

}  // namespace assay
