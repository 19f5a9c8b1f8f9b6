// Q6_K: 256 weights in 210 bytes, 16 sub-blocks of 16.  w = d * scale * q, q = low4 + 16 * top2 - 32.
//   0-127   ql      low four bits: each half of 128 weights takes 64 bytes, weight r of the half is in byte r
//   % 64,
//                   low nibble for r < 64, else high
//   128-191 qh      top two bits (two_bit_code)
//   192-207 scales  int8
//   208-209 d       f16
#pragma once
#include "quant/block.h"

namespace assay {

struct BlockQ6_K {
  static constexpr QuantFacts facts{.name = "Q6_K", .id = 14, .sub_elems = 16};
  uint8_t ql[128];
  uint8_t qh[64];
  int8_t scales[16];
  uint16_t d;

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d);
    for (size_t s = 0; s < 16; ++s) out.scale[s] = scales[s];
    for (size_t i = 0; i < 256; ++i) {
      const int low = (ql[64 * (i / 128) + i % 64] >> (i % 128 < 64 ? 0 : 4)) & 15;
      out.q[i] = int8_t((low | two_bit_code(qh, i) << 4) - 32);
    }
  }
  /// The inverse of integers(), for numbers that it can give.
  void pack(const IntegerBlock& in) noexcept {
    d = float_to_half(in.d);
    for (size_t s = 0; s < 16; ++s) scales[s] = int8_t(in.scale[s]);
    int8_t top[256];
    for (size_t i = 0; i < 256; ++i) top[i] = int8_t((in.q[i] + 32) >> 4);
    pack_two_bit_codes(top, 0, qh);
    for (size_t half = 0; half < 2; ++half)
      for (size_t r = 0; r < 64; ++r) {
        const int8_t* q = in.q + 128 * half + r;
        ql[64 * half + r] = uint8_t(((q[0] + 32) & 15) | ((q[64] + 32) & 15) << 4);
      }
  }
};
static_assert(sizeof(BlockQ6_K) == 210);

}  // namespace assay
