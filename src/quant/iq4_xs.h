// IQ4_XS: 256 weights in 136 bytes, 8 sub-blocks of 32.  w = d * scale * q, q = kIq4nlValues[nibble], scale =
// 6 bits - 32.
//   0-1   d         f16
//   2-3   scales_h  top two bits of scale s: bits 2s and 2s + 1
//   4-7   scales_l  low four bits of scale s: byte s / 2, low nibble for even s
//   8-135 qs        16 bytes a sub-block, split nibbles inside it
#pragma once
#include <cstring>

#include "quant/block.h"
#include "quant/codebooks.h"

namespace assay {

struct BlockIQ4_XS {
  static constexpr QuantFacts facts{.name = "IQ4_XS", .id = 23, .sub_elems = 32};
  uint16_t d;
  uint16_t scales_h;
  uint8_t scales_l[4];
  uint8_t qs[128];

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d);
    for (size_t s = 0; s < 8; ++s) {
      const int low = (scales_l[s / 2] >> (4 * (s % 2))) & 15;
      const int top = (scales_h >> (2 * s)) & 3;
      out.scale[s] = int16_t((low | top << 4) - 32);
      for (size_t i = 0; i < 32; ++i) out.q[32 * s + i] = kIq4nlValues[split_nibble(qs + 16 * s, i)];
    }
  }
  /// The inverse of integers(), for numbers that it can give.
  void pack(const IntegerBlock& in) noexcept {
    d = float_to_half(in.d);
    scales_h = 0;
    std::memset(scales_l, 0, sizeof(scales_l));
    for (size_t s = 0; s < 8; ++s) {
      const int code = in.scale[s] + 32;
      scales_l[s / 2] |= uint8_t((code & 15) << (4 * (s % 2)));
      scales_h = uint16_t(scales_h | (code >> 4) << (2 * s));
      const int8_t* q = in.q + 32 * s;
      for (size_t j = 0; j < 16; ++j) qs[16 * s + j] = uint8_t(iq4nl_code(q[j]) | iq4nl_code(q[j + 16]) << 4);
    }
  }
};
static_assert(sizeof(BlockIQ4_XS) == 136);

}  // namespace assay
