// Faults of the codes of a block: nibble order, offsets, high bits, signs.
#include <algorithm>

#include "diagnose/faults/faulty_block.h"

namespace assay {
namespace {

// Nibble order.

/// Weights of each run of 2 * half: the first `half` and the second, taken in turns.
template <class Number>
void interleave(Number* values, size_t n_values, size_t half) noexcept {
  Number right[256];
  std::copy_n(values, n_values, right);
  for (size_t i = 0; i < n_values; ++i)
    values[i] = right[i / (2 * half) * 2 * half + i % (2 * half) / 2 + half * (i % 2)];
}

template <class Block>
struct Interleaved : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    interleave(out.q, Block::facts.block_elems, 16);
  }
};
template <>
struct Interleaved<BlockNVFP4> : BlockNVFP4 {
  void dequantize(float* w) const noexcept {
    BlockNVFP4::dequantize(w);
    interleave(w, facts.block_elems, 8);
  }
};
// The two nibbles of a byte belong to two sub-blocks here, and keep their scales.
template <class Block>
struct InterleavedSubBlocks : Block {
  void dequantize(float* w) const noexcept {
    describe_detail::dequantize<Block>(reinterpret_cast<const std::byte*>(static_cast<const Block*>(this)), 1,
                                       w);
    interleave(w, 256, 32);
  }
};
constexpr auto kInterleaved = joined(faulty_rows<Interleaved, BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1,
                                                 BlockIQ4_NL, BlockIQ4_XS, BlockMXFP4, BlockNVFP4>(),
                                     faulty_rows<InterleavedSubBlocks, BlockQ4_K, BlockQ5_K>());

template <class Block>
struct LowInterleaved : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    constexpr int kOffset = Block::facts.has_mins ? 0 : 16;
    for (size_t i = 0; i < 32; ++i)
      out.q[i] =
          int8_t(((this->qs[i / 2] >> (4 * (i % 2)) & 15) | (this->qh[i / 8] >> (i % 8) & 1) << 4) - kOffset);
  }
};
constexpr auto kLowInterleaved = faulty_rows<LowInterleaved, BlockQ5_0, BlockQ5_1>();

template <class Block>
struct SplitIn32 : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (size_t i = 0; i < 256; ++i)
      out.q[i] = int8_t((out.q[i] & 16) | split_nibble(this->qs + i / 32 * 16, i % 32));
  }
};
constexpr auto kSplitIn32 = faulty_rows<SplitIn32, BlockQ4_K, BlockQ5_K>();

template <class Block>
struct NibblesExchanged : Block {
  static Block turned(Block block) noexcept {
    const auto turn = [](auto& bytes) {
      for (uint8_t& b : bytes) b = uint8_t(b << 4 | b >> 4);
    };
    if constexpr (requires { block.ql; })
      turn(block.ql);
    else
      turn(block.qs);
    return block;
  }
  void integers(IntegerBlock& out) const noexcept { turned(*this).integers(out); }
};
template <>
struct NibblesExchanged<BlockNVFP4> : BlockNVFP4 {
  void dequantize(float* w) const noexcept {
    BlockNVFP4 block = *this;
    for (uint8_t& b : block.qs) b = uint8_t(b << 4 | b >> 4);
    block.dequantize(w);
  }
};
constexpr auto kNibblesExchanged =
    faulty_rows<NibblesExchanged, BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ4_K, BlockQ5_K, BlockQ6_K,
                BlockIQ4_NL, BlockIQ4_XS, BlockMXFP4, BlockNVFP4>();

template <class Block>
struct TwoBitsLinear : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (size_t i = 0; i < 256; ++i)
      out.q[i] = int8_t(out.q[i] + (this->qs[i / 4] >> (2 * (i % 4)) & 3) - two_bit_code(this->qs, i));
  }
};
constexpr auto kTwoBitsLinear = faulty_rows<TwoBitsLinear, BlockQ2_K, BlockQ3_K, BlockTQ2_0>();

// Offsets. kOffset<Block> is what is subtracted from the stored code.

template <class Block>
constexpr int kOffset = 0;
template <>
constexpr int kOffset<BlockQ4_0> = 8;
template <>
constexpr int kOffset<BlockQ5_0> = 16;
template <>
constexpr int kOffset<BlockQ3_K> = 4;
template <>
constexpr int kOffset<BlockQ6_K> = 32;
template <>
constexpr int kOffset<BlockQ2_0> = 1;
template <>
constexpr int kOffset<BlockTQ1_0> = 1;
template <>
constexpr int kOffset<BlockTQ2_0> = 1;

template <class Block>
struct NoOffset : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (int8_t& q : out.q) q = int8_t(q + kOffset<Block>);
  }
};
constexpr auto kNoOffset =
    faulty_rows<NoOffset, BlockQ4_0, BlockQ5_0, BlockQ3_K, BlockQ6_K, BlockTQ1_0, BlockTQ2_0, BlockQ2_0>();

template <class Block>
struct OffsetOneLess : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (int8_t& q : out.q) ++q;
  }
};
constexpr auto kOffsetOneLess = faulty_rows<OffsetOneLess, BlockQ4_0, BlockQ5_0, BlockQ3_K, BlockQ6_K>();

template <class Block>
struct OffsetHalfLess : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    out.d *= 0.5f;
    for (int8_t& q : out.q) q = int8_t(2 * q + 1);
  }
};
constexpr auto kOffsetHalfLess = faulty_rows<OffsetHalfLess, BlockQ4_0, BlockQ5_0, BlockQ3_K, BlockQ6_K>();

template <class Block>
struct TwosComplement : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (int8_t& q : out.q) q = int8_t(q < 0 ? q + kOffset<Block> : q - kOffset<Block>);
  }
};
constexpr auto kTwosComplement = faulty_rows<TwosComplement, BlockQ4_0, BlockQ5_0, BlockQ3_K, BlockQ6_K>();

template <class Block>
struct BorrowLeaks : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (size_t i = 0; i < Block::facts.block_elems; i += 4) {
      int borrow = 0;
      for (size_t k = i; k < i + 4; ++k) {
        const int difference = out.q[k] - borrow;
        borrow = difference < 0;
        out.q[k] = int8_t(difference);
      }
    }
  }
};
constexpr auto kBorrowLeaks = faulty_rows<BorrowLeaks, BlockQ4_0, BlockQ5_0, BlockQ3_K, BlockQ6_K>();

// High bits.

template <class Block>
constexpr int kHighBit = 16;
template <>
constexpr int kHighBit<BlockQ3_K> = 4;

/// q of weight i with its high bit (of the stored code) replaced.
template <class Block>
int8_t with_high_bit(int8_t q, bool bit) noexcept {
  const int code = q + kOffset<Block>;
  return int8_t(((code & ~kHighBit<Block>) | (bit ? kHighBit<Block> : 0)) - kOffset<Block>);
}
template <class Block>
bool high_bit(int8_t q) noexcept {
  return (q + kOffset<Block>)&kHighBit<Block>;
}

template <class Block>
struct NoHighBits : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (int8_t& q : out.q) q = with_high_bit<Block>(q, false);
  }
};
template <>
struct NoHighBits<BlockQ6_K> : BlockQ6_K {
  void integers(IntegerBlock& out) const noexcept {
    BlockQ6_K::integers(out);
    for (int8_t& q : out.q) q = int8_t(((q + 32) & 15) - 32);
  }
};
constexpr auto kNoHighBits = faulty_rows<NoHighBits, BlockQ5_0, BlockQ5_1, BlockQ3_K, BlockQ5_K, BlockQ6_K>();

template <class Block>
struct HighBitsInverted : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (int8_t& q : out.q) q = with_high_bit<Block>(q, !high_bit<Block>(q));
  }
};
constexpr auto kHighBitsInverted =
    faulty_rows<HighBitsInverted, BlockQ5_0, BlockQ5_1, BlockQ3_K, BlockQ5_K>();

template <class Block>
struct HighBitPlusOne : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (int8_t& q : out.q) q = int8_t(q + high_bit<Block>(q));
  }
};
constexpr auto kHighBitPlusOne = faulty_rows<HighBitPlusOne, BlockQ5_0, BlockQ5_1, BlockQ5_K>();

template <class Block>
struct HighBitPairs : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (size_t i = 0; i < 32; ++i) {
      const size_t bit = 2 * (i % 16) + i / 16;
      out.q[i] = with_high_bit<Block>(out.q[i], this->qh[bit / 8] >> (bit % 8) & 1);
    }
  }
};
constexpr auto kHighBitPairs = faulty_rows<HighBitPairs, BlockQ5_0, BlockQ5_1>();

template <class Block>
struct HighBitShift12 : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (size_t j = 0; j < 16; ++j) {
      const size_t bit = j + 12;
      out.q[j + 16] = with_high_bit<Block>(out.q[j + 16], this->qh[bit / 8] >> (bit % 8) & 1);
    }
  }
};
constexpr auto kHighBitShift12 = faulty_rows<HighBitShift12, BlockQ5_0, BlockQ5_1>();

template <class Block>
struct HighBitsNotAdvanced : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (size_t i = 0; i < 256; ++i) {
      if constexpr (requires { this->hmask; })
        out.q[i] = with_high_bit<Block>(out.q[i], this->hmask[i % 32] >> (i % 128 / 32) & 1);
      else
        out.q[i] = with_high_bit<Block>(out.q[i], this->qh[i % 32] >> (i % 64 / 32) & 1);
    }
  }
};
constexpr auto kHighBitsNotAdvanced = faulty_rows<HighBitsNotAdvanced, BlockQ3_K, BlockQ5_K>();

template <class Block>
struct HighBitsLinear : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    const uint8_t* plane;
    if constexpr (requires { this->hmask; })
      plane = this->hmask;
    else
      plane = this->qh;
    for (size_t i = 0; i < 256; ++i) out.q[i] = with_high_bit<Block>(out.q[i], plane[i / 8] >> (i % 8) & 1);
  }
};
constexpr auto kHighBitsLinear = faulty_rows<HighBitsLinear, BlockQ3_K, BlockQ5_K>();

// Q6_K's two planes.

int q6_k_low(const BlockQ6_K& b, size_t i) {
  return (b.ql[64 * (i / 128) + i % 64] >> (i % 128 < 64 ? 0 : 4)) & 15;
}

struct Q6KSum : BlockQ6_K {
  void integers(IntegerBlock& out) const noexcept {
    BlockQ6_K::integers(out);
    for (size_t i = 0; i < 256; ++i) out.q[i] = int8_t(q6_k_low(*this, i) + 4 * two_bit_code(qh, i) - 32);
  }
};
constexpr std::array kQ6KSum{describe<Q6KSum>()};

struct Q6KLinear : BlockQ6_K {
  void integers(IntegerBlock& out) const noexcept {
    BlockQ6_K::integers(out);
    for (size_t i = 0; i < 256; ++i) {
      const int low = ql[i / 2] >> (4 * (i % 2)) & 15, top = qh[i / 4] >> (2 * (i % 4)) & 3;
      out.q[i] = int8_t((low | top << 4) - 32);
    }
  }
};
constexpr std::array kQ6KLinear{describe<Q6KLinear>()};

struct Q6KTopReversed : BlockQ6_K {
  void integers(IntegerBlock& out) const noexcept {
    BlockQ6_K::integers(out);
    for (size_t i = 0; i < 256; ++i) {
      const int top = qh[32 * (i / 128) + i % 32] >> (6 - 2 * (i % 128 / 32)) & 3;
      out.q[i] = int8_t((q6_k_low(*this, i) | top << 4) - 32);
    }
  }
};
constexpr std::array kQ6KTopReversed{describe<Q6KTopReversed>()};

template <class Block>
struct FirstGroupOnly : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (size_t i = 0; i < 256; ++i)
      if (i % 128 >= 32) out.q[i] = 0;
  }
};
constexpr auto kFirstGroupOnly = faulty_rows<FirstGroupOnly, BlockQ3_K, BlockQ6_K>();

struct Q8Unsigned : BlockQ8_0 {
  void dequantize(float* w) const noexcept {
    for (size_t i = 0; i < 32; ++i) w[i] = half_to_float(d) * float(uint8_t(q[i]));
  }
};
constexpr std::array kQ8Unsigned{describe<Q8Unsigned>()};

const std::array kFaults{
    Fault{.id = "nibbles-interleaved",
          .family = FaultFamily::block_decode,
          .change = "The two nibbles of a byte become neighbours (2j, 2j + 1); the low ones are the first "
                    "half of a run of weights, the "
                    "high ones the second half (16 + 16 weights; Q4_K, Q5_K 32 + 32; NVFP4 8 + 8)",
          .affects = "Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, IQ4_NL, IQ4_XS, MXFP4, NVFP4",
          .symptom = "Text that looks fluent and means nothing; logits of healthy size; files that the "
                     "engine wrote itself are fine",
          .mend = "Byte j: low nibble to weight j, high nibble to weight j + half",
          .source =
              "F08, F11: https://github.com/chrishayuk/larql/pull/178, https://github.com/kekzl/imp/pull/567",
          .injection = DecodeFault{kInterleaved}},
    Fault{
        .id = "q5-low-nibbles-interleaved",
        .family = FaultFamily::block_decode,
        .change = "Byte j's nibbles become weights 2j and 2j + 1, each with bit 2j and 2j + 1 of qh; they "
                  "are weights j and j + 16",
        .affects = "Q5_0, Q5_1",
        .symptom = "Garbage; blocks of zeros pass",
        .mend = "Byte j: low nibble to weight j, high nibble to weight j + 16; bit i of qh to weight i",
        .source =
            "F16: https://github.com/paiml/aprender/pull/1656, https://github.com/paiml/aprender/issues/1623",
        .injection = DecodeFault{kLowInterleaved}},
    Fault{.id = "k-nibbles-split-in-32",
          .family = FaultFamily::block_decode,
          .change = "The nibbles of 16 bytes make one sub-block, as in Q4_0; 32 bytes hold two sub-blocks, "
                    "the low nibbles the first",
          .affects = "Q4_K, Q5_K",
          .symptom = "Garbage; logits of healthy size",
          .mend = "Sub-block 2t: low nibbles of bytes 32t..32t+31, sub-block 2t + 1: their high nibbles",
          .source = "from the format: F09 in the catalogue's signatures, no public report",
          .injection = DecodeFault{kSplitIn32}},
    Fault{.id = "nibbles-exchanged",
          .family = FaultFamily::block_decode,
          .change = "High and low nibble of every byte of the codes are exchanged",
          .affects = "All types with nibbles",
          .symptom = "Garbage; logits of healthy size",
          .mend = "The low nibble is the earlier weight",
          .source = "F10, from the format: no public report",
          .injection = DecodeFault{kNibblesExchanged}},
    Fault{.id = "two-bit-codes-linear",
          .family = FaultFamily::block_decode,
          .change = "The two-bit codes of a byte are four weights in a row; they are 32 weights apart",
          .affects = "Q2_K, Q3_K, TQ2_0",
          .symptom = "Garbage; logits of healthy size",
          .mend = "Weight i: byte 32 * (i / 128) + i % 32, bits 2 * (i % 128 / 32) and the next",
          .source = "F25: https://github.com/paiml/aprender/pull/1924",
          .injection = DecodeFault{kTwoBitsLinear}},
    Fault{.id = "code-offset-missing",
          .family = FaultFamily::block_decode,
          .change = "The stored code is used as it is; 8 (Q4_0), 16 (Q5_0), 4 (Q3_K), 32 (Q6_K), 1 (ternary "
                    "types, Q2_0) has to be "
                    "subtracted",
          .affects = "Q4_0, Q5_0, Q3_K, Q6_K, TQ1_0, TQ2_0, Q2_0",
          .symptom = "Garbage; all weights of a block have d's sign",
          .mend = "w = d * scale * (code - offset)",
          .source = "F13: https://github.com/SKaiNET-developers/SKaiNET/issues/208",
          .injection = DecodeFault{kNoOffset}},
    Fault{.id = "code-offset-one-less",
          .family = FaultFamily::block_decode,
          .change = "The offset of the code is too small by 1: 7, 15, 3 or 31",
          .affects = "Q4_0, Q5_0, Q3_K, Q6_K",
          .symptom = "Slightly worse text (Q6_K: relative error 0.07, as good quantization has)",
          .mend = "Subtract 8 (Q4_0), 16 (Q5_0), 4 (Q3_K), 32 (Q6_K)",
          .source = "F13, from the format: no public report",
          .injection = DecodeFault{kOffsetOneLess}},
    Fault{
        .id = "code-offset-half-less",
        .family = FaultFamily::block_decode,
        .change =
            "The offset of the code is the middle of its range (7.5, 15.5, 3.5, 31.5); it is a whole number",
        .affects = "Q4_0, Q5_0, Q3_K, Q6_K",
        .symptom = "Slightly worse text",
        .mend = "Subtract 8 (Q4_0), 16 (Q5_0), 4 (Q3_K), 32 (Q6_K)",
        .source = "F13, from the format: no public report",
        .injection = DecodeFault{kOffsetHalfLess}},
    Fault{
        .id = "code-twos-complement",
        .family = FaultFamily::block_decode,
        .change =
            "The code is read as a two's complement number; it is unsigned, with an offset of half its range",
        .affects = "Q4_0, Q5_0, Q3_K, Q6_K",
        .symptom = "Garbage; every error is exactly +- offset * d * scale",
        .mend = "w = d * scale * (code - offset)",
        .source = "from the format: F12 in the catalogue's signatures, no public report",
        .injection = DecodeFault{kTwosComplement}},
    Fault{.id = "code-offset-borrow",
          .family = FaultFamily::block_decode,
          .change = "The offset is subtracted from four codes in one 32-bit word, and the borrow reaches the "
                    "next byte",
          .affects = "Q4_0, Q5_0, Q3_K, Q6_K",
          .symptom = "Worse text; weights whose neighbour is negative are too small by one step",
          .mend = "Subtract byte by byte (SIMD), or after widening",
          .source = "F38: https://github.com/gittensor-ai-lab/sparkinfer/pull/761",
          .injection = DecodeFault{kBorrowLeaks}},
    Fault{.id = "high-bits-ignored",
          .family = FaultFamily::block_decode,
          .change = "The plane of high bits (qh, hmask) is left out",
          .affects = "Q5_0, Q5_1, Q3_K, Q5_K, Q6_K",
          .symptom = "Garbage; errors are multiples of 16 (Q3_K: 4) steps, one sign",
          .mend = "code = low bits | high bits << 4 (Q3_K: << 2)",
          .source = "F19, F20: https://github.com/paiml/aprender/issues/199",
          .injection = DecodeFault{kNoHighBits}},
    Fault{.id = "high-bits-inverted",
          .family = FaultFamily::block_decode,
          .change =
              "A high bit that is set counts as clear and the other way round (in Q3_K a clear one means -4)",
          .affects = "Q5_0, Q5_1, Q3_K, Q5_K",
          .symptom = "Garbage; no weight is right, every error is +- 16 (Q3_K: 4) steps",
          .mend = "Q5 types: set means +16; Q3_K: clear means -4",
          .source = "F19, from the format: no public report",
          .injection = DecodeFault{kHighBitsInverted}},
    Fault{.id = "q5-high-bit-plus-one",
          .family = FaultFamily::block_decode,
          .change = "A high bit adds 17; it adds 16",
          .affects = "Q5_0, Q5_1, Q5_K",
          .symptom = "Slightly worse text; half of the weights are too large by one step",
          .mend = "code = nibble | high bit << 4",
          .source = "from the format: F18 in the catalogue's signatures, no public report",
          .injection = DecodeFault{kHighBitPlusOne}},
    Fault{.id = "q5-high-bit-pairs",
          .family = FaultFamily::block_decode,
          .change = "The high bits of weights j and j + 16 are taken from bits 2j and 2j + 1 of qh; bit i "
                    "belongs to weight i",
          .affects = "Q5_0, Q5_1",
          .symptom = "Garbage; errors are 0 or +- 16 d",
          .mend = "Weight i: bit i of qh",
          .source = "F16: https://github.com/paiml/aprender/pull/1656",
          .injection = DecodeFault{kHighBitPairs}},
    Fault{.id = "q5-high-bit-shift",
          .family = FaultFamily::block_decode,
          .change = "The second half's high bits are bit j + 12 of qh, a shift that is right only together "
                    "with a mask of 0x10; they are "
                    "bit j + 16",
          .affects = "Q5_0, Q5_1",
          .symptom = "Garbage; weights 0..15 of every block are right",
          .mend = "((qh >> (j + 12)) & 0x10) or ((qh >> (j + 16)) & 1) << 4",
          .source = "F17, from the format: no public report",
          .injection = DecodeFault{kHighBitShift12}},
    Fault{.id = "high-bits-not-advanced",
          .family = FaultFamily::block_decode,
          .change = "The mask of the high bits starts again: Q5_K uses bits 0 and 1 for every 64 weights, "
                    "Q3_K bits 0..3 for both halves",
          .affects = "Q3_K, Q5_K",
          .symptom = "Garbage; the first 64 (Q3_K: 128) weights of every super-block are right",
          .mend = "Weight i: bit i / 32 of byte i % 32",
          .source = "F19, from the format: no public report",
          .injection = DecodeFault{kHighBitsNotAdvanced}},
    Fault{.id = "high-bits-linear",
          .family = FaultFamily::block_decode,
          .change = "High bit i is bit i % 8 of byte i / 8; it is bit i / 32 of byte i % 32",
          .affects = "Q3_K, Q5_K",
          .symptom = "Garbage; about half of the weights is right",
          .mend = "Weight i: bit i / 32 of byte i % 32",
          .source = "F20, from the format: no public report",
          .injection = DecodeFault{kHighBitsLinear}},
    Fault{.id = "q6_k-high-bits-times-4",
          .family = FaultFamily::block_decode,
          .change = "code = low + 4 * top; it is low + 16 * top",
          .affects = "Q6_K",
          .symptom = "Garbage; only codes below 16 are right",
          .mend = "code = low | top << 4",
          .source = "F20: https://github.com/paiml/aprender/issues/199",
          .injection = DecodeFault{kQ6KSum}},
    Fault{.id = "q6_k-linear",
          .family = FaultFamily::block_decode,
          .change = "Low nibbles and top bits are taken in a row (nibble i of ql, pair i of qh)",
          .affects = "Q6_K",
          .symptom = "Garbage; logits of healthy size",
          .mend = "Half h, g = i % 128 / 32, l = i % 32: nibble g / 2 of ql[64h + 32 (g % 2) + l], bits 2g "
                  "of qh[32h + l]",
          .source = "F20: https://github.com/paiml/aprender/issues/199",
          .injection = DecodeFault{kQ6KLinear}},
    Fault{.id = "q6_k-high-bit-order",
          .family = FaultFamily::block_decode,
          .change = "The four pairs of a byte of qh are taken from the top down",
          .affects = "Q6_K",
          .symptom = "Garbage; errors are multiples of 16 steps",
          .mend = "Pair g of a byte is at bits 2g and 2g + 1",
          .source = "F20: https://github.com/paiml/aprender/issues/199",
          .injection = DecodeFault{kQ6KTopReversed}},
    Fault{.id = "first-group-only",
          .family = FaultFamily::block_decode,
          .change = "Only the first 32 of every 128 weights are written, the others stay 0",
          .affects = "Q3_K, Q6_K",
          .symptom = "Garbage; exactly three quarters of the weights are 0",
          .mend = "Write all four groups of a half",
          .source = "F23: https://github.com/1bit-MONSTER/1bit-MONSTER/issues/734",
          .injection = DecodeFault{kFirstGroupOnly}},
    Fault{.id = "q8_0-unsigned",
          .family = FaultFamily::block_decode,
          .change = "The codes are read as uint8; they are int8",
          .affects = "Q8_0",
          .symptom = "Garbage; every negative weight is wrong by +256 d",
          .mend = "int8_t codes",
          .source = "F22: https://github.com/huggingface/candle/commit/98172d46f (Q8_1)",
          .injection = DecodeFault{kQ8Unsigned}},
};

}  // namespace

extern const std::span<const Fault> faults_block_codes{kFaults};

}  // namespace assay
