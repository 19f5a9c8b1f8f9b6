// Main parts of blocks whose bits a kernel wants in another order than the file has them
// (TileFormat::reorder): what tiles hold is written at each function, first byte first; kernels/formats.inc,
// codebooks.inc and ternary.inc read it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace assay::cpu {

/// Bit i of the result's byte i % 4, bit i / 4, is bit i of x: code 4g + b finds its bit at bit g of byte b.
inline uint32_t order_bits(uint32_t x) noexcept {
  uint32_t y = 0;
  for (uint32_t i = 0; i < 32; ++i) y |= ((x >> i) & 1u) << (8 * (i % 4) + i / 4);
  return y;
}
/// The block as it is, with the fifth bits, at byte `at`, in the order of order_bits.
template <size_t at>
void reorder_q5(const uint8_t* from, uint8_t* main) noexcept {
  std::memcpy(main, from, at + 20);
  uint32_t bits;
  std::memcpy(&bits, from + at, 4);
  bits = order_bits(bits);
  std::memcpy(main + at, &bits, 4);
}

/// Four runs of 32 one-bit codes in the order of order_bits.
void reorder_q1_0(const uint8_t* from, uint8_t* main) noexcept;
/// Four runs of 16 two-bit codes: code 4g + b is bits 2g and 2g + 1 of byte b.
void reorder_q2_0(const uint8_t* from, uint8_t* main) noexcept;

/// 32 grid indices; 32 sign masks; 4 bytes of scales, nibble s that of run s.
void reorder_iq2_xxs(const uint8_t* from, uint8_t* main) noexcept;
/// 32 low bytes of grid indices; their 32 top bits; 32 sign masks; the scales as in the file.
void reorder_iq2_xs(const uint8_t* from, uint8_t* main) noexcept;
/// 64 grid indices; 32 sign masks; scales as IQ2_XXS.
void reorder_iq3_xxs(const uint8_t* from, uint8_t* main) noexcept;

// 256 trits in 13 groups of 4 bytes, 5 trits a byte in TQ1_0's code: trit n of byte b of group w is weight 4
// * (5w + n) + b.

/// Trits; 4 bytes, nibble s of run s: bits 2-0 the scale, bit 3 the shift is -1/8.
void reorder_iq1_s(const uint8_t* from, uint8_t* main) noexcept;
/// Trits; 32 shift bits, of the groups of eight; the scales as in the file.
void reorder_iq1_m(const uint8_t* from, uint8_t* main) noexcept;
/// Trits.
void reorder_tq1_0(const uint8_t* from, uint8_t* main) noexcept;

}  // namespace assay::cpu
