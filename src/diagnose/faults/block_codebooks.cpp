// Faults of codebook types, ternary and FP4 types, and of types taken for others of the same size.
#include "diagnose/faults/faulty_block.h"
#include "diagnose/faults/source.h"

namespace assay {
namespace {

/// q of every group of eight anew: visit(group, out.q + 8 * group).
template <class Visit>
void each_group(IntegerBlock& out, const Visit& visit) noexcept {
  for (size_t g = 0; g < 32; ++g) visit(g, out.q + 8 * g);
}

// Grid indices.

template <class Block>
struct IndexLowBits : Block {
  static Block low(Block b) noexcept {
    if constexpr (std::is_same_v<Block, BlockIQ2_XS>)
      for (uint16_t& q : b.qs) q = uint16_t(q & ~0x100);
    else if constexpr (std::is_same_v<Block, BlockIQ1_S>)
      for (uint16_t& q : b.qh) q = uint16_t(q & 0xf000);
    else if constexpr (std::is_same_v<Block, BlockIQ1_M>)
      for (uint8_t& q : b.qh) q = uint8_t(q & 0x88);
    else
      for (uint8_t& q : b.qh) q = 0;
    return b;
  }
  void integers(IntegerBlock& out) const noexcept { low(*this).integers(out); }
};
constexpr auto kIndexLowBits =
    faulty_rows<IndexLowBits, BlockIQ2_XS, BlockIQ1_S, BlockIQ3_S, BlockIQ2_S, BlockIQ1_M>();

template <class Block>
struct IndexBitOrder : Block {
  static Block turned(Block b) noexcept {
    for (uint8_t& byte : b.qh) {
      uint8_t other = 0;
      constexpr int kBits = std::is_same_v<Block, BlockIQ2_S> ? 2 : std::is_same_v<Block, BlockIQ3_S> ? 1 : 4;
      for (int k = 0; k < 8; k += kBits)
        other |= uint8_t((byte >> k & ((1 << kBits) - 1)) << (8 - kBits - k));
      byte = other;
    }
    return b;
  }
  void integers(IntegerBlock& out) const noexcept { turned(*this).integers(out); }
};
constexpr auto kIndexBitOrder = faulty_rows<IndexBitOrder, BlockIQ3_S, BlockIQ2_S, BlockIQ1_M>();

// Signs.

/// The mask of group g as stored; of types with sign codes, before the parity bit is added.
template <class Block>
uint8_t stored_signs(const Block& b, size_t g) noexcept {
  if constexpr (requires { b.signs; }) {
    return b.signs[g];
  } else if constexpr (std::is_same_v<Block, BlockIQ2_XS>) {
    return uint8_t(b.qs[g] >> 9);
  } else {
    uint32_t word;
    if constexpr (std::is_same_v<Block, BlockIQ2_XXS>)
      std::memcpy(&word, b.qs + g / 4 * 8 + 4, 4);
    else
      std::memcpy(&word, b.signs_and_scale + g / 4 * 4, 4);
    return uint8_t(word >> (7 * (g % 4)) & 127);
  }
}
template <class Block>
uint8_t right_signs(const Block& b, size_t g) noexcept {
  if constexpr (requires { b.signs; })
    return b.signs[g];
  else
    return sign_mask(stored_signs(b, g));
}
/// Replaces the signs of all groups: the right mask of group g by mask(g).
template <class Block, class Mask>
void replace_signs(const Block& b, IntegerBlock& out, const Mask& mask) noexcept {
  each_group(out, [&](size_t g, int8_t* q) {
    const uint32_t changed = right_signs(b, g) ^ mask(g);
    for (size_t j = 0; j < 8; ++j) q[j] = with_sign(q[j], changed, j);
  });
}

template <class Block>
struct NoParity : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    const Block& b = *this;
    replace_signs(b, out, [&](size_t g) { return stored_signs(b, g); });
  }
};
constexpr auto kNoParity = faulty_rows<NoParity, BlockIQ2_XXS, BlockIQ2_XS, BlockIQ3_XXS>();

template <class Block>
struct OddParity : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    const Block& b = *this;
    replace_signs(b, out, [&](size_t g) { return right_signs(b, g) ^ 128; });
  }
};
constexpr auto kOddParity = faulty_rows<OddParity, BlockIQ2_XXS, BlockIQ2_XS, BlockIQ3_XXS>();

template <class Block>
struct NoSigns : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    replace_signs<Block>(*this, out, [](size_t) { return 0; });
  }
};
constexpr auto kNoSigns =
    faulty_rows<NoSigns, BlockIQ2_XXS, BlockIQ2_XS, BlockIQ3_XXS, BlockIQ3_S, BlockIQ2_S>();

template <class Block>
struct SignsTopDown : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    const Block& b = *this;
    replace_signs(b, out, [&](size_t g) {
      uint32_t mask = 0;
      for (size_t j = 0; j < 8; ++j) mask |= uint32_t(right_signs(b, g) >> j & 1) << (7 - j);
      return mask;
    });
  }
};
constexpr auto kSignsTopDown =
    faulty_rows<SignsTopDown, BlockIQ2_XXS, BlockIQ2_XS, BlockIQ3_XXS, BlockIQ3_S, BlockIQ2_S>();

// Scales.

template <class Block>
struct ScaleNotOdd : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (int16_t& scale : out.scale) --scale;
  }
};
constexpr auto kScaleNotOdd = faulty_rows<ScaleNotOdd, BlockIQ2_XXS, BlockIQ2_XS, BlockIQ3_XXS, BlockIQ1_S,
                                          BlockIQ3_S, BlockIQ2_S, BlockIQ1_M>();

template <class Block>
struct ScaleNibbles : Block {
  static Block turned(Block b) noexcept {
    if constexpr (requires { b.scales_l; })
      for (uint8_t& s : b.scales_l) s = uint8_t(s << 4 | s >> 4);
    else
      for (uint8_t& s : b.scales) s = uint8_t(s << 4 | s >> 4);
    return b;
  }
  void integers(IntegerBlock& out) const noexcept { turned(*this).integers(out); }
};
constexpr auto kScaleNibbles = faulty_rows<ScaleNibbles, BlockIQ2_XS, BlockIQ3_S, BlockIQ2_S, BlockIQ4_XS>();

template <class Block>
struct NoUnit : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    out.d *= std::is_same_v<Block, BlockIQ3_XXS> ? 4 : 8;
  }
};
constexpr auto kNoUnit = faulty_rows<NoUnit, BlockIQ2_XXS, BlockIQ2_XS, BlockIQ3_XXS, BlockIQ2_S>();

// IQ1.

template <class Block>
struct NoShift : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (int8_t& q : out.q) q = int8_t((q + 1) / 8 * 8 + (q + 1 < 0 && (q + 1) % 8 != 0 ? -8 : 0));
  }
};
template <class Block>
struct ShiftSign : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (int8_t& q : out.q) q = int8_t(((q + 9) & 7) == 2 ? q - 2 : q + 2);  // 8g + 1 and 8g - 1
  }
};
constexpr auto kNoShift = faulty_rows<NoShift, BlockIQ1_S, BlockIQ1_M>();
constexpr auto kShiftSign = faulty_rows<ShiftSign, BlockIQ1_S, BlockIQ1_M>();

struct IQ1MScale : BlockIQ1_M {
  void integers(IntegerBlock& out) const noexcept {
    BlockIQ1_M::integers(out);
    uint32_t bits = 0;
    for (size_t t = 0; t < 4; ++t) bits |= uint32_t(scales[t] >> 12) << (12 - 4 * t);
    out.d = half_to_float(uint16_t(bits)) * 0.125f;
  }
};
constexpr std::array kIQ1MScale{describe<IQ1MScale>()};

// IQ4 and FP4 tables.

template <class Block>
struct UnsignedTable : Block {
  void dequantize(float* w) const noexcept {
    IntegerBlock b;
    Block::integers(b);
    for (size_t i = 0; i < Block::facts.block_elems; ++i)
      w[i] = b.d * float(b.scale[i / Block::facts.sub_elems]) * float(uint8_t(b.q[i]));
  }
};
constexpr auto kUnsignedTable = faulty_rows<UnsignedTable, BlockIQ4_NL, BlockIQ4_XS>();

template <class Block>
struct LinearTable : Block {
  void integers(IntegerBlock& out) const noexcept {
    Block::integers(out);
    for (int8_t& q : out.q) q = int8_t(iq4nl_code(q) - 8);
  }
};
constexpr auto kLinearTable = faulty_rows<LinearTable, BlockIQ4_NL, BlockIQ4_XS>();

/// An FP4 value anew, from its code's sign and magnitude bits.
template <class Value>
void replace_fp4(const BlockMXFP4& b, IntegerBlock& out, const Value& value) noexcept {
  b.integers(out);
  for (size_t i = 0; i < 32; ++i) out.q[i] = int8_t(value(split_nibble(b.qs, i)));
}

struct Fp4Linear : BlockMXFP4 {
  void integers(IntegerBlock& out) const noexcept {
    replace_fp4(*this, out, [](int code) { return code & 8 ? -2 * (code & 7) : 2 * (code & 7); });
  }
};
struct Fp4Complement : BlockMXFP4 {
  void integers(IntegerBlock& out) const noexcept {
    replace_fp4(*this, out, [](int code) { return 2 * (code & 8 ? code - 16 : code); });
  }
};
struct Fp4NoSubnormal : BlockMXFP4 {
  void integers(IntegerBlock& out) const noexcept {
    replace_fp4(*this, out, [](int code) { return (code & 7) == 1 ? 0 : kFp4DoubledValues[code]; });
  }
};
struct Fp4NoSign : BlockMXFP4 {
  void integers(IntegerBlock& out) const noexcept {
    replace_fp4(*this, out, [](int code) { return kFp4DoubledValues[code & 7]; });
  }
};
constexpr std::array kFp4Linear{describe<Fp4Linear>()};
constexpr std::array kFp4Complement{describe<Fp4Complement>()};
constexpr std::array kFp4NoSubnormal{describe<Fp4NoSubnormal>()};
constexpr std::array kFp4NoSign{describe<Fp4NoSign>()};

template <class Block, int kTimes, int kOver>
struct Fp4Scaled;
template <int kTimes, int kOver>
struct Fp4Scaled<BlockMXFP4, kTimes, kOver> : BlockMXFP4 {
  void integers(IntegerBlock& out) const noexcept {
    BlockMXFP4::integers(out);
    out.d = out.d * kTimes / kOver;
  }
};
template <int kTimes, int kOver>
struct Fp4Scaled<BlockNVFP4, kTimes, kOver> : BlockNVFP4 {
  void dequantize(float* w) const noexcept {
    BlockNVFP4::dequantize(w);
    for (size_t i = 0; i < 64; ++i) w[i] = w[i] * kTimes / kOver;
  }
};
constexpr std::array kFp4Twice{describe<Fp4Scaled<BlockMXFP4, 2, 1>>(),
                               describe<Fp4Scaled<BlockNVFP4, 2, 1>>()};
constexpr std::array kFp4Half{describe<Fp4Scaled<BlockMXFP4, 1, 2>>(),
                              describe<Fp4Scaled<BlockNVFP4, 1, 2>>()};

struct E8M0Linear : BlockMXFP4 {
  void integers(IntegerBlock& out) const noexcept {
    BlockMXFP4::integers(out);
    out.d = 0.5f * float(e);
  }
};
constexpr std::array kE8M0Linear{describe<E8M0Linear>()};

struct E4M3Linear : BlockNVFP4 {
  void dequantize(float* w) const noexcept {
    for (size_t i = 0; i < 64; ++i) {
      const int code = (qs[8 * (i / 16) + i % 8] >> (i % 16 < 8 ? 0 : 4)) & 15;
      w[i] = 0.5f * float(scales[i / 16]) * float(kFp4DoubledValues[code]);
    }
  }
};
constexpr std::array kE4M3Linear{describe<E4M3Linear>()};

struct Nvfp4As32 : BlockNVFP4 {
  void dequantize(float* w) const noexcept {
    for (size_t i = 0; i < 64; ++i)
      w[i] = half_scale_of(scales[i / 16]) * float(kFp4DoubledValues[split_nibble(qs + i / 32 * 16, i % 32)]);
  }
};
constexpr std::array kNvfp4As32{describe<Nvfp4As32>()};

// Ternary and binary types.

struct TQ1PlainBase3 : BlockTQ1_0 {
  static int plain(uint8_t byte, size_t n) {
    constexpr int kPowersOf3[5] = {1, 3, 9, 27, 81};
    return byte / kPowersOf3[n] % 3 - 1;
  }
  void integers(IntegerBlock& out) const noexcept {
    BlockTQ1_0::integers(out);
    for (size_t i = 0; i < 160; ++i) out.q[i] = int8_t(plain(qs[i % 32], i / 32));
    for (size_t k = 0; k < 80; ++k) out.q[160 + k] = int8_t(plain(qs[32 + k % 16], k / 16));
    for (size_t k = 0; k < 16; ++k) out.q[240 + k] = int8_t(plain(qh[k % 4], k / 4));
  }
};
constexpr std::array kTQ1PlainBase3{describe<TQ1PlainBase3>()};

struct TQ1Linear : BlockTQ1_0 {
  void integers(IntegerBlock& out) const noexcept {
    BlockTQ1_0::integers(out);
    for (size_t i = 0; i < 240; ++i) out.q[i] = int8_t(trit(qs[i / 5], i % 5) - 1);
    for (size_t i = 0; i < 16; ++i) out.q[240 + i] = int8_t(trit(qh[i / 4], i % 4) - 1);
  }
};
constexpr std::array kTQ1Linear{describe<TQ1Linear>()};

template <class Block>
struct CodesTopDown : Block {
  void integers(IntegerBlock& out) const noexcept {
    IntegerBlock right;
    Block::integers(right);
    out = right;
    constexpr size_t kPerByte = Block::facts.block_elems / sizeof(Block::qs);
    for (size_t i = 0; i < Block::facts.block_elems; ++i)
      out.q[i] = right.q[i / kPerByte * kPerByte + (kPerByte - 1 - i % kPerByte)];
  }
};
constexpr auto kCodesTopDown = faulty_rows<CodesTopDown, BlockQ1_0, BlockQ2_0>();

struct Q1Inverted : BlockQ1_0 {
  void integers(IntegerBlock& out) const noexcept {
    BlockQ1_0::integers(out);
    for (int8_t& q : out.q) q = int8_t(-q);
  }
};
struct Q1ZeroOne : BlockQ1_0 {
  void integers(IntegerBlock& out) const noexcept {
    BlockQ1_0::integers(out);
    for (int8_t& q : out.q) q = q > 0;
  }
};
constexpr std::array kQ1Inverted{describe<Q1Inverted>()};
constexpr std::array kQ1ZeroOne{describe<Q1ZeroOne>()};

// Plain floats of 16 bits.

struct F16AsBf16 : BlockF16 {
  void dequantize(float* w) const noexcept { *w = bf16_to_float(bits); }
};
struct Bf16AsF16 : BlockBF16 {
  void dequantize(float* w) const noexcept { *w = half_to_float(bits); }
};
constexpr std::array kF16AsBf16{describe<F16AsBf16>()};
constexpr std::array kBf16AsF16{describe<Bf16AsF16>()};

#define CODEBOOK(name, rows, what, where, seen, repair)                                                 \
  Fault {                                                                                               \
    .id = name, .family = FaultFamily::block_decode, .change = what, .affects = where, .symptom = seen, \
    .mend = repair, .source = kFromTheFormat, .injection = DecodeFault {                                \
      rows                                                                                              \
    }                                                                                                   \
  }

const std::array kFaults{
    CODEBOOK("iq-index-high-bits-dropped", kIndexLowBits,
             "The grid index is its low 8 bits; the rest (qh, bit 8 of a code) is left out",
             "IQ2_XS, IQ2_S, IQ3_S, IQ1_S, IQ1_M", "Garbage; groups whose index is below 256 are right",
             "index = low byte | high bits << 8"),
    CODEBOOK("iq-index-high-bit-order", kIndexBitOrder,
             "The high index bits of a byte of qh go to its groups from the top down; the lowest bits are "
             "the first group's",
             "IQ2_S, IQ3_S, IQ1_M", "Garbage; logits of healthy size",
             "Group g takes the bits of its byte of qh in ascending order"),
    CODEBOOK("iq-sign-parity-ignored", kNoParity,
             "A sign code of seven bits is the mask of seven weights, the eighth is positive; its sign makes "
             "the number of set bits even",
             "IQ2_XXS, IQ2_XS, IQ3_XXS", "Worse text; every eighth weight has a wrong sign half of the time",
             "mask = code | parity(code) << 7"),
    CODEBOOK("iq-sign-parity-odd", kOddParity,
             "The eighth sign makes the number of set bits odd; it makes it even", "IQ2_XXS, IQ2_XS, IQ3_XXS",
             "Worse text; every eighth weight has the wrong sign", "mask = code | parity(code) << 7"),
    CODEBOOK("iq-signs-ignored", kNoSigns, "The signs are left out: all weights have the scale's sign",
             "IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S", "Garbage; no weight is negative",
             "Negate weight j when bit j of its group's mask is set"),
    CODEBOOK("iq-sign-order", kSignsTopDown,
             "Bit 7 of the mask is taken for the group's first weight; bit 0 is",
             "IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S", "Garbage; magnitudes right, half of the signs wrong",
             "Weight j of a group: bit j"),
    CODEBOOK("iq-scale-not-odd", kScaleNotOdd, "The sub-block scale is 2 * s; it is 2 * s + 1",
             "IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S",
             "Worse text; sub-blocks with stored scale 0 are all 0, the others too small by a factor",
             "d * (2 * s + 1), or d * (0.5 + s) with twice the unit"),
    CODEBOOK("scale-nibbles-exchanged", kScaleNibbles,
             "The high nibble of a scale byte is the first sub-block's; the low one is",
             "IQ2_XS, IQ2_S, IQ3_S, IQ4_XS", "Worse text to garbage; a factor for each sub-block",
             "Sub-block s: byte s / 2, low nibble for even s"),
    CODEBOOK("iq-unit-missing", kNoUnit,
             "d is used without the unit of the grid: 1/8 (IQ2 types), 1/4 (IQ3_XXS)",
             "IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS", "Garbage; weights too large by exactly 8 (4)",
             "w = d / 8 * (2 s + 1) * grid; IQ3_XXS: d / 4"),
    CODEBOOK("iq1-shift-ignored", kNoShift, "The grid's values are used without the shift of +- 1/8",
             "IQ1_S, IQ1_M", "Worse text; a third of the weights is 0",
             "w = d * (2 s + 1) * (grid + (sign bit ? -1/8 : 1/8))"),
    CODEBOOK("iq1-shift-sign", kShiftSign, "The shift is +1/8 when its bit is set; it is -1/8 then",
             "IQ1_S, IQ1_M", "Worse text; every error is a quarter of a step",
             "w = d * (2 s + 1) * (grid + (sign bit ? -1/8 : 1/8))"),
    CODEBOOK("iq1_m-d-nibble-order", kIQ1MScale,
             "d is put together with the first word's nibble on top; it is the lowest", "IQ1_M",
             "Absurd scales, NaN", "d = nibble of word 0 | word 1 << 4 | word 2 << 8 | word 3 << 12"),
    CODEBOOK("iq4-table-unsigned", kUnsignedTable,
             "The table of sixteen values is declared unsigned: -127 becomes 129", "IQ4_NL, IQ4_XS",
             "Garbage; negative weights are wrong by +256 steps", "int8_t values"),
    CODEBOOK(
        "iq4-table-linear", kLinearTable,
        "The nibble is a number from -8 to 7, as in Q4_0; it is the index of one of sixteen uneven values",
        "IQ4_NL, IQ4_XS", "Garbage; weights too small by a factor of about 15",
        "q = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}[nibble]"),
    CODEBOOK("fp4-codes-linear", kFp4Linear,
             "The magnitudes of the FP4 codes are 0..7; they are 0, 0.5, 1, 1.5, 2, 3, 4, 6", "MXFP4",
             "Garbage; the small codes are too large by a factor of 2",
             "E2M1: two exponent bits, one mantissa bit"),
    CODEBOOK("fp4-twos-complement", kFp4Complement,
             "An FP4 code is read as a signed integer of four bits; it is sign, exponent, mantissa", "MXFP4",
             "Garbage", "Bit 3 is the sign, the value is the table's at bits 0-2"),
    CODEBOOK("fp4-subnormal-flushed", kFp4NoSubnormal, "The code 1, E2M1's only subnormal, is 0; it is 0.5",
             "MXFP4", "Slightly worse text; an eighth of the weights is 0", "Code 1 is 0.5"),
    CODEBOOK("fp4-sign-ignored", kFp4NoSign, "Bit 3 of an FP4 code is dropped", "MXFP4",
             "Garbage; no weight is negative", "Bit 3 is the sign"),
    CODEBOOK("fp4-scale-twice", kFp4Twice,
             "A table of doubled values is used with the full scale: all weights are doubled", "MXFP4, NVFP4",
             "Garbage; a factor of exactly 2", "Doubled values go with half of the scale: 2^(e - 128)"),
    CODEBOOK("fp4-scale-half", kFp4Half,
             "A table of the true values is used with the halved scale: all weights are halved",
             "MXFP4, NVFP4", "Worse text; a factor of exactly 0.5",
             "True values go with the full scale: 2^(e - 127)"),
    Fault{
        .id = "e8m0-linear",
        .family = FaultFamily::block_decode,
        .change = "The exponent byte is used as a number; it is an exponent of 2 with a bias of 127",
        .affects = "MXFP4",
        .symptom = "Weights 10^5 times too large",
        .mend = "scale = 2^(e - 127)",
        .source =
            "F35: https://github.com/jundot/omlx/pull/2159, https://github.com/tinygrad/tinygrad/pull/14850",
        .injection = DecodeFault{kE8M0Linear}},
    CODEBOOK("e4m3-linear", kE4M3Linear,
             "The scale byte is used as a number; it is an unsigned float with four exponent bits and three "
             "mantissa bits",
             "NVFP4", "Weights too large, and all of similar size", "E4M3 with a bias of 7"),
    CODEBOOK("nvfp4-split-in-32", kNvfp4As32,
             "16 bytes hold 32 weights as in MXFP4; 8 bytes hold a sub-block of 16", "NVFP4",
             "Garbage; logits of healthy size", "Sub-block s: bytes 8s..8s+7, low nibbles first"),
    CODEBOOK(
        "tq1-plain-base-3", kTQ1PlainBase3,
        "A byte is read as a number in base 3; it is a fraction of 256 whose digits in base 3 are the trits",
        "TQ1_0", "Garbage; logits of healthy size", "Trit n: (byte * 3^n mod 256) * 3 >> 8"),
    CODEBOOK("tq1-linear", kTQ1Linear,
             "The trits of a byte are five weights in a row; they are 32 (16, 4) weights apart", "TQ1_0",
             "Garbage; logits of healthy size",
             "Weight i < 160: byte i % 32, trit i / 32; then 80 of 16 bytes, 16 of qh"),
    CODEBOOK("codes-top-down", kCodesTopDown,
             "The highest bits of a byte are its first weight; the lowest are", "Q1_0, Q2_0",
             "Garbage; logits of healthy size", "Weight i: the lowest bits first"),
    CODEBOOK("q1-inverted", kQ1Inverted, "A set bit is -1; it is +1", "Q1_0",
             "Garbage; every weight has the wrong sign", "Set: +d, clear: -d"),
    CODEBOOK("q1-zero-one", kQ1ZeroOne, "A clear bit is 0; it is -1", "Q1_0",
             "Garbage; half of the weights are 0", "Set: +d, clear: -d"),
    Fault{.id = "f16-read-as-bf16",
          .family = FaultFamily::container,
          .change = "F16 tensors are read as BF16: the table of type ids maps 1 to the wrong float",
          .affects = "F16 tensors",
          .symptom = "Weights almost 0 or huge",
          .mend = "Type 1 is IEEE binary16, type 30 is bfloat16",
          .source = "F29: https://github.com/huggingface/candle/commit/5d20d1f33",
          .injection = DecodeFault{kF16AsBf16}},
    Fault{.id = "bf16-read-as-f16",
          .family = FaultFamily::container,
          .change = "BF16 tensors are read as F16: the table of type ids maps 30 to the wrong float",
          .affects = "BF16 tensors",
          .symptom = "Weights all near 1.5 in size",
          .mend = "Type 1 is IEEE binary16, type 30 is bfloat16",
          .source = "F29: https://github.com/1bit-MONSTER/1bit-MONSTER/pull/489",
          .injection = DecodeFault{kBf16AsF16}},
};
#undef CODEBOOK

}  // namespace

extern const std::span<const Fault> faults_block_codebooks{kFaults};

}  // namespace assay
