// Q8_0: 32 weights in 34 bytes.  w = d * q.
//   0-1  d  f16
//   2-33 q  int8
#pragma once
#include <cstring>
#include "quant/block.h"

namespace assay {

struct BlockQ8_0 {
  static constexpr QuantFacts facts{
      .name = "Q8_0", .id = 8, .block_elems = 32, .activations = Activations::q8_0};
  uint16_t d;
  int8_t q[32];

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d);
    out.scale[0] = 1;
    std::memcpy(out.q, q, sizeof(q));
  }
  /// The inverse of integers(), for numbers that it can give.
  void pack(const IntegerBlock& in) noexcept {
    d = float_to_half(in.d);
    std::memcpy(q, in.q, sizeof(q));
  }
};
static_assert(sizeof(BlockQ8_0) == 34);

}  // namespace assay
