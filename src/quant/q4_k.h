// Q4_K: 256 weights in 144 bytes, 8 sub-blocks of 32.  w = d * scale * q - dmin * min, q in 0..15.
//   0-1    d       f16
//   2-3    dmin    f16
//   4-15   scales  eight 6-bit scales and mins (unpack_scales_and_mins)
//   16-143 qs      nibbles: 32 bytes hold sub-blocks 2t (low) and 2t + 1 (high) (paired_nibble)
#pragma once
#include "quant/block.h"

namespace assay {

struct BlockQ4_K {
  static constexpr QuantFacts facts{.name = "Q4_K", .id = 12, .sub_elems = 32, .has_mins = true};
  uint16_t d, dmin;
  uint8_t scales[12];
  uint8_t qs[128];

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d);
    out.dmin = half_to_float(dmin);
    unpack_scales_and_mins(scales, out.scale, out.min);
    for (size_t i = 0; i < 256; ++i) out.q[i] = int8_t(paired_nibble(qs, i));
  }
  /// The inverse of integers(), for numbers that it can give.
  void pack(const IntegerBlock& in) noexcept {
    d = float_to_half(in.d);
    dmin = float_to_half(in.dmin);
    pack_scales_and_mins(in.scale, in.min, scales);
    pack_paired_nibbles(in.q, qs);
  }
};
static_assert(sizeof(BlockQ4_K) == 144);

}  // namespace assay
