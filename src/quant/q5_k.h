// Q5_K: 256 weights in 176 bytes, 8 sub-blocks of 32.  w = d * scale * q - dmin * min, q = nibble + 16 * high
// bit.
//   0-1    d       f16
//   2-3    dmin    f16
//   4-15   scales  eight 6-bit scales and mins (unpack_scales_and_mins)
//   16-47  qh      weight i's high bit is bit i / 32 of byte i % 32
//   48-175 qs      nibbles: 32 bytes hold sub-blocks 2t (low) and 2t + 1 (high) (paired_nibble)
#pragma once
#include <cstring>

#include "quant/block.h"

namespace assay {

struct BlockQ5_K {
  static constexpr QuantFacts facts{.name = "Q5_K", .id = 13, .sub_elems = 32, .has_mins = true};
  uint16_t d, dmin;
  uint8_t scales[12];
  uint8_t qh[32];
  uint8_t qs[128];

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d);
    out.dmin = half_to_float(dmin);
    unpack_scales_and_mins(scales, out.scale, out.min);
    for (size_t i = 0; i < 256; ++i)
      out.q[i] = int8_t(paired_nibble(qs, i) | (qh[i % 32] >> (i / 32) & 1) << 4);
  }
  /// The inverse of integers(), for numbers that it can give.
  void pack(const IntegerBlock& in) noexcept {
    d = float_to_half(in.d);
    dmin = float_to_half(in.dmin);
    pack_scales_and_mins(in.scale, in.min, scales);
    pack_paired_nibbles(in.q, qs);
    std::memset(qh, 0, sizeof(qh));
    for (size_t i = 0; i < 256; ++i) qh[i % 32] |= uint8_t((in.q[i] >> 4) << (i / 32));
  }
};
static_assert(sizeof(BlockQ5_K) == 176);

}  // namespace assay
