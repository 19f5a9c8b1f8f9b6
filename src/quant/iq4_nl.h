// IQ4_NL: 32 weights in 18 bytes.  w = d * q, q = kIq4nlValues[nibble].
//   0-1  d   f16
//   2-17 qs  split nibbles: byte j is weight j (low) and weight j + 16 (high)
#pragma once
#include "quant/block.h"
#include "quant/codebooks.h"

namespace assay {

struct BlockIQ4_NL {
  static constexpr QuantFacts facts{
      .name = "IQ4_NL", .id = 20, .block_elems = 32, .activations = Activations::q8_0};
  uint16_t d;
  uint8_t qs[16];

  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d);
    out.scale[0] = 1;
    for (size_t i = 0; i < 32; ++i) out.q[i] = kIq4nlValues[split_nibble(qs, i)];
  }
  /// The inverse of integers(), for numbers that it can give.
  void pack(const IntegerBlock& in) noexcept {
    d = float_to_half(in.d);
    for (size_t j = 0; j < 16; ++j) qs[j] = uint8_t(iq4nl_code(in.q[j]) | iq4nl_code(in.q[j + 16]) << 4);
  }
};
static_assert(sizeof(BlockIQ4_NL) == 18);

}  // namespace assay
