// TQ1_0: 256 ternary weights in 54 bytes.  w = d * q, q = trit - 1.
//   0-47  qs  five trits a byte: weights 0..159 are byte i % 32, trit i / 32; weights 160 + k, k = 0..79, are
//             byte 32 + k % 16, trit k / 16
//   48-51 qh  four trits a byte: weight 240 + k is byte k % 4, trit k / 4
//   52-53 d   f16
// A byte is the fraction byte / 256; its trit n is the n-th digit after the point in base 3.
#pragma once
#include "quant/block.h"

namespace assay {

struct BlockTQ1_0 {
  static constexpr QuantFacts facts{.name = "TQ1_0", .id = 34};
  uint8_t qs[48];
  uint8_t qh[4];
  uint16_t d;

  static int8_t trit(uint8_t byte, size_t n) noexcept {
    constexpr uint8_t kPowersOf3[5] = {1, 3, 9, 27, 81};
    return int8_t(uint8_t(byte * kPowersOf3[n]) * 3 >> 8);
  }
  void integers(IntegerBlock& out) const noexcept {
    out.d = half_to_float(d);
    out.scale[0] = 1;
    for (size_t i = 0; i < 160; ++i) out.q[i] = int8_t(trit(qs[i % 32], i / 32) - 1);
    for (size_t k = 0; k < 80; ++k) out.q[160 + k] = int8_t(trit(qs[32 + k % 16], k / 16) - 1);
    for (size_t k = 0; k < 16; ++k) out.q[240 + k] = int8_t(trit(qh[k % 4], k / 4) - 1);
  }
  /// The inverse of integers(), for numbers that it can give.
  void pack(const IntegerBlock& in) noexcept {
    d = float_to_half(in.d);
    for (size_t k = 0; k < 32; ++k) qs[k] = byte_of(in.q + k, 32, 5);
    for (size_t k = 0; k < 16; ++k) qs[32 + k] = byte_of(in.q + 160 + k, 16, 5);
    for (size_t k = 0; k < 4; ++k) qh[k] = byte_of(in.q + 240 + k, 4, 4);
  }

 private:
  // The byte whose trits are q[0] + 1, q[stride] + 1 ...: their base-3 number over 243, rounded up to whole
  // 256ths.
  static uint8_t byte_of(const int8_t* q, size_t stride, size_t n_trits) noexcept {
    int number = 0;
    for (size_t n = 0; n < 5; ++n) number = 3 * number + (n < n_trits ? q[n * stride] + 1 : 0);
    return uint8_t((number * 256 + 242) / 243);
  }
};
static_assert(sizeof(BlockTQ1_0) == 54);

}  // namespace assay
