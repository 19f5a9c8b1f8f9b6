// Faults of the scales and mins of a block.
#include "diagnose/faults/faulty_block.h"
#include "diagnose/faults/source.h"

namespace assay {
namespace {

// The 6-bit scales and mins of Q4_K and Q5_K.

template <class Block>
struct ScaleTopBits : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (size_t s = 4; s < 8; ++s) {
      out.scale[s] &= 15;
      out.min[s] &= 15;
    }
  }
};
constexpr auto kScaleTopBits = faulty_rows<ScaleTopBits, BlockQ4_K, BlockQ5_K>();

template <class Block>
struct MinTopBits : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (size_t s = 4; s < 8; ++s) out.min[s] &= 15;
  }
};
constexpr auto kMinTopBits = faulty_rows<MinTopBits, BlockQ4_K, BlockQ5_K>();

template <class Block>
struct TopBitsExchanged : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (size_t s = 4; s < 8; ++s) {
      const int scale = out.scale[s], min = out.min[s];
      out.scale[s] = int16_t((scale & 15) | (min & 48));
      out.min[s] = int16_t((min & 15) | (scale & 48));
    }
  }
};
constexpr auto kTopBitsExchanged = faulty_rows<TopBitsExchanged, BlockQ4_K, BlockQ5_K>();

template <class Block>
struct LowNibblesExchanged : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (size_t s = 4; s < 8; ++s) {
      const int scale = out.scale[s], min = out.min[s];
      out.scale[s] = int16_t((min & 15) | (scale & 48));
      out.min[s] = int16_t((scale & 15) | (min & 48));
    }
  }
};
constexpr auto kLowNibblesExchanged = faulty_rows<LowNibblesExchanged, BlockQ4_K, BlockQ5_K>();

template <class Block>
struct ScalesLinear : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (size_t s = 4; s < 8; ++s) {
      out.scale[s] = this->scales[s] & 63;
      out.min[s] = this->scales[s + 4] & 63;
    }
  }
};
constexpr auto kScalesLinear = faulty_rows<ScalesLinear, BlockQ4_K, BlockQ5_K>();

template <class Block>
struct FirstScale : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (size_t s = 1; s < Block::facts.block_elems / Block::facts.sub_elems; ++s) {
      out.scale[s] = out.scale[0];
      out.min[s] = out.min[0];
    }
  }
};
constexpr auto kFirstScale =
    faulty_rows<FirstScale, BlockQ2_K, BlockQ3_K, BlockQ4_K, BlockQ5_K, BlockQ6_K, BlockIQ4_XS>();

template <class Block>
struct ScaleOfPair : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (size_t s = 1; s < 16; s += 2) {
      out.scale[s] = out.scale[s - 1];
      out.min[s] = out.min[s - 1];
    }
  }
};
constexpr auto kScaleOfPair = faulty_rows<ScaleOfPair, BlockQ2_K, BlockQ3_K, BlockQ4_K, BlockQ5_K, BlockQ6_K,
                                          BlockIQ2_XS, BlockIQ2_S>();

template <class Block>
struct ScaleAndMinExchanged : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    std::swap(out.scale, out.min);
  }
};
constexpr auto kScaleAndMinExchanged = faulty_rows<ScaleAndMinExchanged, BlockQ2_K, BlockQ4_K, BlockQ5_K>();

// Mins.

template <class Block>
struct NoMin : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    out.dmin = 0;
  }
};
constexpr auto kNoMin = faulty_rows<NoMin, BlockQ4_1, BlockQ5_1, BlockQ2_K, BlockQ4_K, BlockQ5_K>();

template <class Block>
struct MinSign : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    out.dmin = -out.dmin;
  }
};
constexpr auto kMinSign = faulty_rows<MinSign, BlockQ4_1, BlockQ5_1, BlockQ2_K, BlockQ4_K, BlockQ5_K>();

template <class Block>
struct DAndDminExchanged : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    std::swap(out.d, out.dmin);
  }
};
constexpr auto kDAndDminExchanged =
    faulty_rows<DAndDminExchanged, BlockQ4_1, BlockQ5_1, BlockQ2_K, BlockQ4_K, BlockQ5_K>();

// Scales of 16 weights (Q2_K, Q3_K, Q6_K) and other packings.

template <class Block>
struct ScaleOrder : Block {
  void integers(IntegerBlock& out) const noexcept {
    IntegerBlock right;
    Block::integers(right);
    out = right;
    for (size_t s = 0; s < 16; ++s) {
      const size_t taken = s / 8 * 8 + s % 8 / 2 + 4 * (s % 2);
      out.scale[s] = right.scale[taken];
      out.min[s] = right.min[taken];
    }
  }
};
constexpr auto kScaleOrder = faulty_rows<ScaleOrder, BlockQ2_K, BlockQ3_K, BlockQ6_K>();

template <class Block>
struct ScaleByLane : Block {
  // Eight scales change inside a run of 32 weights, which no sub-block of 16 can say: weight by weight.
  void dequantize(float* w) const noexcept {
    IntegerBlock b;
    Block::integers(b);
    for (size_t i = 0; i < 256; ++i) {
      const size_t s = i / 128 * 8 + i % 32 / 4;
      w[i] = b.d * float(b.scale[s]) * float(b.q[i]);
      if (Block::facts.has_mins) w[i] -= b.dmin * float(b.min[s]);
    }
  }
};
constexpr auto kScaleByLane = faulty_rows<ScaleByLane, BlockQ2_K, BlockQ3_K, BlockQ6_K>();

template <class Block>
struct UnsignedScales : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (size_t s = 0; s < 16; ++s) out.scale[s] = uint8_t(this->scales[s]);
  }
};
constexpr auto kUnsignedScales = faulty_rows<UnsignedScales, BlockQ6_K>();

template <class Block>
struct NoScaleOffset : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (int16_t& scale : out.scale) scale = int16_t(scale + 32);
  }
};
constexpr auto kNoScaleOffset = faulty_rows<NoScaleOffset, BlockQ3_K, BlockIQ4_XS>();

template <class Block>
struct LowScaleBits : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (int16_t& scale : out.scale) scale = int16_t(((scale + 32) & 15) - 32);
  }
};
constexpr auto kLowScaleBits = faulty_rows<LowScaleBits, BlockQ3_K, BlockIQ4_XS>();

template <class Block>
struct TopScaleBitOrder : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (size_t s = 0; s < 16; ++s) {
      const int top = (this->scales[8 + s / 4] >> (2 * (s % 4))) & 3;
      out.scale[s] = int16_t((((out.scale[s] + 32) & 15) | top << 4) - 32);
    }
  }
};
constexpr auto kTopScaleBitOrder = faulty_rows<TopScaleBitOrder, BlockQ3_K>();

// f16 scales.

template <class Block, HalfReader kRead>
struct HalvesRead : Block {
  void integers(IntegerBlock& out) const noexcept { read_halves<Block>(*this, out, kRead); }
};
template <class Block, HalfReader kRead>
struct FloatRead : Block {
  void dequantize(float* w) const noexcept { *w = kRead(this->bits); }
};

bool is_subnormal(uint16_t bits) {
  return (bits & 0x7c00) == 0;
}
float half_with_subnormals_halved(uint16_t bits) {
  return half_to_float(bits) * (is_subnormal(bits) ? 0.5f : 1.0f);
}
float half_without_subnormals(uint16_t bits) {
  return is_subnormal(bits) ? 0.0f : half_to_float(bits);
}
float half_by_exponent_arithmetic(uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  return half_to_float(bits) * (exponent == 0 ? 16.0f : exponent <= 4 ? 0.0f : 1.0f);
}
float half_with_bytes_exchanged(uint16_t bits) {
  return half_to_float(uint16_t(bits << 8 | bits >> 8));
}
float half_without_sign(uint16_t bits) {
  return half_to_float(bits & 0x7fff);
}

template <HalfReader kRead>
constexpr auto half_rows() {
  return faulty_half_rows<HalvesRead, kRead>();
}
template <HalfReader kRead>
constexpr auto half_rows_and_f16() {
  return joined(half_rows<kRead>(), std::array{describe<FloatRead<BlockF16, kRead>>()});
}

constexpr auto kBf16Scale = half_rows<bf16_to_float>();
constexpr auto kSubnormalsHalved = half_rows_and_f16<half_with_subnormals_halved>();
constexpr auto kSubnormalsFlushed = half_rows_and_f16<half_without_subnormals>();
constexpr auto kExponentArithmetic = half_rows<half_by_exponent_arithmetic>();
constexpr auto kBytesExchanged = half_rows_and_f16<half_with_bytes_exchanged>();
constexpr auto kSignLost = half_rows<half_without_sign>();

template <class Block>
struct Divided : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    out.d = 1 / out.d;
  }
};
constexpr auto kDivided = faulty_rows<Divided, BlockTQ1_0, BlockTQ2_0, BlockQ1_0, BlockQ2_0>();

// d where the other types have it: in front of the rest, or behind it.
template <class Block>
struct DAtOtherEnd : Block {
  void integers(IntegerBlock& out) const noexcept {
    constexpr size_t kFirst = offsetof(Block, d) == 0 ? sizeof(uint16_t) : 0;
    std::byte bytes[sizeof(Block)], turned[sizeof(Block)];
    std::memcpy(bytes, static_cast<const Block*>(this), sizeof(Block));
    if (kFirst == 0) {  // d is last, and is looked for in front
      std::memcpy(turned, bytes + 2, sizeof(Block) - 2);
      std::memcpy(turned + sizeof(Block) - 2, bytes, 2);
    } else {
      std::memcpy(turned + 2, bytes, sizeof(Block) - 2);
      std::memcpy(turned, bytes + sizeof(Block) - 2, 2);
    }
    Block block;
    std::memcpy(&block, turned, sizeof(Block));
    block.integers(out);
  }
};
constexpr auto kDAtOtherEnd = faulty_rows<DAtOtherEnd, BlockQ4_0, BlockQ5_0, BlockQ8_0, BlockQ3_K, BlockQ6_K,
                                          BlockIQ4_NL, BlockTQ1_0, BlockTQ2_0>();

const std::array kFaults{
    Fault{.id = "k-scale-top-bits-dropped",
          .family = FaultFamily::block_decode,
          .change = "Scales and mins of sub-blocks 4..7 are the nibbles of bytes 8..11 alone; their two top "
                    "bits are in bits 6-7 of "
                    "bytes 0..3 (scales) and 4..7 (mins)",
          .affects = "Q4_K, Q5_K",
          .symptom = "Garbage text; weights 0..127 of every super-block are right, 128..255 too small by a "
                     "factor for each 32",
          .mend =
              "scale = (S[s+4] & 15) | (S[s-4] >> 6) << 4, min = (S[s+4] >> 4) | (S[s] >> 6) << 4 for s >= 4",
          .source = "F01, from the format: https://github.com/paiml/aprender/pull/2141 is its neighbour",
          .injection = DecodeFault{kScaleTopBits}},
    Fault{
        .id = "k-min-top-bits-dropped",
        .family = FaultFamily::block_decode,
        .change = "Only the mins of sub-blocks 4..7 lose their two top bits (bits 6-7 of bytes 4..7)",
        .affects = "Q4_K, Q5_K",
        .symptom = "Worse text; the second half of a super-block is shifted upwards where a min is above 15",
        .mend = "min = (S[s+4] >> 4) | (S[s] >> 6) << 4 for s >= 4",
        .source = kFromTheFormat,
        .injection = DecodeFault{kMinTopBits}},
    Fault{
        .id = "k-scale-top-bits-exchanged",
        .family = FaultFamily::block_decode,
        .change = "Scales of sub-blocks 4..7 take their top bits from bytes 4..7 and mins from bytes 0..3; "
                  "it is the other way "
                  "round",
        .affects = "Q4_K, Q5_K",
        .symptom = "From worse text to garbage: only super-blocks whose two pairs of bits differ are touched",
        .mend = "The scale's top bits are those of S[s-4], the min's those of S[s]",
        .source = "F02, from the format: no public report",
        .injection = DecodeFault{kTopBitsExchanged}},
    Fault{.id = "k-scale-low-nibbles-exchanged",
          .family = FaultFamily::block_decode,
          .change = "In bytes 8..11 the low nibble is taken for the min and the high one for the scale; low "
                    "is the scale's",
          .affects = "Q4_K, Q5_K",
          .symptom = "Garbage; the first half of every super-block is right",
          .mend = "scale: S[s+4] & 15, min: S[s+4] >> 4",
          .source = "F05 in part, from the format: no public report",
          .injection = DecodeFault{kLowNibblesExchanged}},
    Fault{.id = "k-scales-linear",
          .family = FaultFamily::block_decode,
          .change = "scale s is S[s] & 63 and min s is S[s+4] & 63 for all eight sub-blocks; that holds for "
                    "the first four only",
          .affects = "Q4_K, Q5_K",
          .symptom = "Garbage; the first half of every super-block is right",
          .mend = "Unpack sub-blocks 4..7 from the nibbles of bytes 8..11 and the top bits of bytes 0..7",
          .source = kFromTheFormat,
          .injection = DecodeFault{kScalesLinear}},
    Fault{.id = "k-first-scale-only",
          .family = FaultFamily::block_decode,
          .change = "Every sub-block uses scale and min of sub-block 0",
          .affects = "Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_XS",
          .symptom = "Garbage; the first sub-block of every super-block is right, which a test of one "
                     "sub-block does not see",
          .mend = "Advance the sub-block index with the weights",
          .source = "F04: https://github.com/paiml/aprender/pull/2141",
          .injection = DecodeFault{kFirstScale}},
    Fault{.id = "k-scale-of-pair",
          .family = FaultFamily::block_decode,
          .change = "Two sub-blocks share the scale and min of the first of them: the index advances half as "
                    "often as it should",
          .affects = "Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ2_XS, IQ2_S",
          .symptom = "Worse text; every other sub-block is wrong by a constant factor",
          .mend =
              "One scale for each sub-block: 16 weights in Q2_K, Q3_K, Q6_K, IQ2_XS, IQ2_S, 32 in Q4_K, Q5_K",
          .source = "from the format: F21 in the catalogue's signatures, no public report",
          .injection = DecodeFault{kScaleOfPair}},
    Fault{.id = "k-scale-min-exchanged",
          .family = FaultFamily::block_decode,
          .change = "The sub-blocks' scales are taken for their mins and the mins for the scales",
          .affects = "Q2_K, Q4_K, Q5_K",
          .symptom = "Garbage; the tensor's mean moves",
          .mend = "Q2_K: scale in the low nibble, min in the high one; Q4_K, Q5_K: scales in bytes 0..3, "
                  "mins in 4..7",
          .source = "F05, from the format: no public report",
          .injection = DecodeFault{kScaleAndMinExchanged}},
    Fault{.id = "min-dropped",
          .family = FaultFamily::block_decode,
          .change = "The second term of the formula is left out: dmin * min is not subtracted (Q4_1, Q5_1: m "
                    "is not added)",
          .affects = "Q4_1, Q5_1, Q2_K, Q4_K, Q5_K",
          .symptom = "Garbage; no weight is negative, the mean is far above 0",
          .mend = "w = d * scale * q - dmin * min; Q4_1 and Q5_1: w = d * q + m",
          .source = "from the format: F06 in the catalogue's signatures, no public report",
          .injection = DecodeFault{kNoMin}},
    Fault{
        .id = "min-sign",
        .family = FaultFamily::block_decode,
        .change = "dmin * min is added instead of subtracted (Q4_1, Q5_1: m is subtracted instead of added)",
        .affects = "Q4_1, Q5_1, Q2_K, Q4_K, Q5_K",
        .symptom = "Garbage; the mean is twice as far above 0 as without the term",
        .mend = "w = d * scale * q - dmin * min; Q4_1 and Q5_1: w = d * q + m",
        .source = "from the format: F06 in the catalogue's signatures, no public report",
        .injection = DecodeFault{kMinSign}},
    Fault{.id = "d-dmin-exchanged",
          .family = FaultFamily::block_decode,
          .change = "d is taken for dmin (m) and dmin (m) for d; d comes first",
          .affects = "Q4_1, Q5_1, Q2_K, Q4_K, Q5_K",
          .symptom = "Weights an order of magnitude too large, NaN soon after",
          .mend = "Read d, then dmin (m)",
          .source = "F07, from the format: no public report",
          .injection = DecodeFault{kDAndDminExchanged}},
    Fault{.id = "k-scale-order",
          .family = FaultFamily::block_decode,
          .change = "Inside a half the scales are numbered with the 16-weight lane slowest (g + 4 * (l / "
                    "16)); sub-block s of 16 weights "
                    "in a row has scale s",
          .affects = "Q2_K, Q3_K, Q6_K",
          .symptom = "Garbage; the first 16 weights are right",
          .mend = "scale index = i / 16",
          .source = "from the format: F21 in the catalogue's signatures, no public report",
          .injection = DecodeFault{kScaleOrder}},
    Fault{.id = "k-scale-by-lane",
          .family = FaultFamily::block_decode,
          .change = "Scale j goes with bytes 4j..4j+3 of the codes; it goes with 16 weights in a row, whose "
                    "codes share a shift",
          .affects = "Q2_K, Q3_K, Q6_K",
          .symptom = "Garbage; about a quarter of the weights is right",
          .mend = "scale index = i / 16 of weight i, whatever byte its code is in",
          .source = "F25: https://github.com/paiml/aprender/pull/1924",
          .injection = DecodeFault{kScaleByLane}},
    Fault{.id = "q6_k-scale-unsigned",
          .family = FaultFamily::block_decode,
          .change = "The sub-block scales are read as uint8; they are int8, and half of them negative",
          .affects = "Q6_K",
          .symptom = "Garbage; sub-blocks with a negative scale are wrong by +256 * d * q",
          .mend = "int8_t scales",
          .source = "F22: https://github.com/huggingface/candle/commit/98172d46f (Q8_1)",
          .injection = DecodeFault{kUnsignedScales}},
    Fault{.id = "scale-offset-missing",
          .family = FaultFamily::block_decode,
          .change = "The sub-block scales are used as stored; 32 has to be subtracted",
          .affects = "Q3_K, IQ4_XS",
          .symptom = "Garbage; no sub-block has the other sign",
          .mend = "scale = 6 bits - 32",
          .source = kFromTheFormat,
          .injection = DecodeFault{kNoScaleOffset}},
    Fault{.id = "scale-low-bits-only",
          .family = FaultFamily::block_decode,
          .change = "The two top bits of the sub-block scales are left out: scale = nibble - 32",
          .affects = "Q3_K, IQ4_XS",
          .symptom = "Garbage; all scales are between -32 and -17",
          .mend = "Q3_K: top bits in bytes 8..11 of scales; IQ4_XS: in scales_h",
          .source = kFromTheFormat,
          .injection = DecodeFault{kLowScaleBits}},
    Fault{.id = "q3_k-scale-top-bit-order",
          .family = FaultFamily::block_decode,
          .change = "The top bits of scale s are taken from byte 8 + s / 4 at 2 * (s % 4); they are in byte "
                    "8 + s % 4 at 2 * (s / 4)",
          .affects = "Q3_K",
          .symptom = "Garbage; sub-blocks 0, 5, 10 and 15 are right",
          .mend = "top = S[8 + s % 4] >> 2 * (s / 4) & 3",
          .source = kFromTheFormat,
          .injection = DecodeFault{kTopScaleBitOrder}},
    Fault{.id = "d-read-as-bf16",
          .family = FaultFamily::block_decode,
          .change = "The 16 bits of d (and dmin, m) are read as bf16; they are f16",
          .affects = "All types with an f16 scale",
          .symptom = "Weights almost 0 or huge, the output does not depend on the input",
          .mend = "Convert d as IEEE binary16",
          .source = "F31: https://github.com/1bit-MONSTER/1bit-MONSTER/pull/486",
          .injection = DecodeFault{kBf16Scale}},
    Fault{.id = "f16-subnormals-halved",
          .family = FaultFamily::block_decode,
          .change = "Subnormal f16 numbers come out halved: their exponent is -14, as that of the smallest "
                    "normal ones, not -15",
          .affects = "All types with an f16 scale, F16; Q6_K first, whose d is mostly subnormal",
          .symptom = "Worse text to garbage; whole tensors times 0.5",
          .mend = "value = mantissa * 2^-24 when the exponent field is 0",
          .source = "F32: https://github.com/paiml/aprender/pull/2129, "
                    "https://github.com/tenstorrent/tt-metal/issues/48264",
          .injection = DecodeFault{kSubnormalsHalved}},
    Fault{.id = "f16-subnormals-flushed",
          .family = FaultFamily::block_decode,
          .change = "Subnormal f16 numbers are taken for 0",
          .affects = "All types with an f16 scale, F16; Q6_K first, whose d is mostly subnormal",
          .symptom = "Whole blocks and tensors are 0",
          .mend = "value = mantissa * 2^-24 when the exponent field is 0; no flush-to-zero mode around the "
                  "conversion",
          .source = "from the format: F33 in the catalogue's signatures, no public report",
          .injection = DecodeFault{kSubnormalsFlushed}},
    Fault{.id = "d-exponent-arithmetic",
          .family = FaultFamily::block_decode,
          .change = "d is rescaled by 2^-4 by subtracting 4 from its exponent field and back: small d become "
                    "0, subnormal ones 16 times "
                    "too large",
          .affects = "All types with an f16 scale",
          .symptom = "Single layers 20 times too large",
          .mend = "Multiply the converted number",
          .source = "F34: https://github.com/kekzl/imp/pull/809, https://github.com/kekzl/imp/pull/810",
          .injection = DecodeFault{kExponentArithmetic}},
    Fault{.id = "d-bytes-exchanged",
          .family = FaultFamily::block_decode,
          .change = "The two bytes of an f16 number are taken in big-endian order",
          .affects = "All types with an f16 scale, F16",
          .symptom = "Absurd scales, NaN",
          .mend = "The file is little-endian: swap on big-endian hosts only",
          .source = "F43: https://github.com/ggml-org/llama.cpp/issues/3298, "
                    "https://github.com/ggml-org/llama.cpp/pull/11234",
          .injection = DecodeFault{kBytesExchanged}},
    Fault{.id = "d-sign-lost",
          .family = FaultFamily::block_decode,
          .change = "The sign of d (and dmin, m) is dropped",
          .affects = "All types with an f16 scale; Q4_0, Q5_0 and Q3_K first, whose d is negative for half "
                     "of the blocks",
          .symptom = "Garbage; about half of the blocks have the wrong sign",
          .mend = "Keep bit 15",
          .source = kFromTheFormat,
          .injection = DecodeFault{kSignLost}},
    Fault{.id = "d-divided",
          .family = FaultFamily::block_decode,
          .change = "The codes are divided by d instead of multiplied",
          .affects = "TQ1_0, TQ2_0, Q1_0, Q2_0",
          .symptom = "Garbage; the weights are too large by 1 / d^2",
          .mend = "w = d * q",
          .source = "F44: https://github.com/microsoft/BitNet/pull/616",
          .injection = DecodeFault{kDivided}},
    Fault{.id = "d-at-other-end",
          .family = FaultFamily::block_decode,
          .change = "d is looked for at the other end of the block: Q3_K, Q6_K, TQ1_0 and TQ2_0 have it "
                    "last, the others first",
          .affects = "Q4_0, Q5_0, Q8_0, Q3_K, Q6_K, IQ4_NL, TQ1_0, TQ2_0",
          .symptom = "Noise with huge values and NaN",
          .mend = "Read the fields in the order of the type's header",
          .source = kFromTheFormat,
          .injection = DecodeFault{kDAtOtherEnd}},
};

}  // namespace

extern const std::span<const Fault> faults_block_scales{kFaults};

}  // namespace assay
