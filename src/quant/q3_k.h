// Q3_K: 256 weights in 110 bytes, 16 sub-blocks of 16.  w = d * scale * q, q = low2 + 4 * high - 4, scale = 6
// bits - 32.
//   0-31    hmask   weight i's high bit is bit i / 32 of byte i % 32
//   32-95   qs      low two bits (two_bit_code)
//   96-107  scales  sub-block s: low four bits in byte s % 8, low nibble for s < 8, else high;
//                   top two bits in byte 8 + s % 4, bits 2 * (s / 4) and the next
//   108-109 d       f16
#pragma once
#include <cstring>

#include "quant/block.h"

namespace assay {

struct BlockQ3_K {
  static constexpr QuantFacts facts{.name = "Q3_K", .id = 11, .sub_elems = 16};
  uint8_t hmask[32];
  uint8_t qs[64];
  uint8_t scales[12];
  uint16_t d;

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d);
    for (size_t s = 0; s < 16; ++s) {
      const int low = (scales[s % 8] >> (s < 8 ? 0 : 4)) & 15;
      const int top = (scales[8 + s % 4] >> (2 * (s / 4))) & 3;
      out.scale[s] = int16_t((low | top << 4) - 32);
    }
    for (size_t i = 0; i < 256; ++i)
      out.q[i] = int8_t((two_bit_code(qs, i) | (hmask[i % 32] >> (i / 32) & 1) << 2) - 4);
  }
  /// The inverse of integers(), for numbers that it can give.
  void pack(const IntegerBlock& in) noexcept {
    d = float_to_half(in.d);
    std::memset(scales, 0, sizeof(scales));
    for (size_t s = 0; s < 16; ++s) {
      const int code = in.scale[s] + 32;
      scales[s % 8] |= uint8_t((code & 15) << (s < 8 ? 0 : 4));
      scales[8 + s % 4] |= uint8_t((code >> 4) << (2 * (s / 4)));
    }
    pack_two_bit_codes(in.q, 4, qs);
    std::memset(hmask, 0, sizeof(hmask));
    for (size_t i = 0; i < 256; ++i) hmask[i % 32] |= uint8_t((in.q[i] >= 0) << (i / 32));
  }
};
static_assert(sizeof(BlockQ3_K) == 110);

}  // namespace assay
