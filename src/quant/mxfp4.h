// MXFP4: 32 weights in 17 bytes.  w = 2^(e - 127) * E2M1 value: d = 2^(e - 128) and q the doubled value.
//   0    e   E8M0 exponent; 255 is an ordinary exponent here, not NaN
//   1-16 qs  split nibbles: byte j is weight j (low) and weight j + 16 (high)
#pragma once
#include "quant/block.h"
#include "quant/codebooks.h"

namespace assay {

struct BlockMXFP4 {
  static constexpr QuantFacts facts{
      .name = "MXFP4", .id = 39, .block_elems = 32, .activations = Activations::q8_0};
  uint8_t e;
  uint8_t qs[16];

  /// 2^(e - 128); e = 0 and 1 are the subnormals 2^-128 and 2^-127.
  static float scale_of(uint8_t e) noexcept {
    return std::bit_cast<float>(e < 2 ? 0x00200000u << e : (e - 1u) << 23);
  }
  void integers(IntegerBlock& out) const noexcept {
    out.d = scale_of(e);
    out.scale[0] = 1;
    for (size_t i = 0; i < 32; ++i) out.q[i] = kFp4DoubledValues[split_nibble(qs, i)];
  }
  /// The inverse of integers(), for numbers that it can give.
  void pack(const IntegerBlock& in) noexcept {
    const uint32_t bits = std::bit_cast<uint32_t>(in.d);
    e = uint8_t(bits < 0x00800000u ? bits >> 22 : (bits >> 23) + 1);
    for (size_t j = 0; j < 16; ++j) qs[j] = uint8_t(fp4_code(in.q[j]) | fp4_code(in.q[j + 16]) << 4);
  }
};
static_assert(sizeof(BlockMXFP4) == 17);

}  // namespace assay
