#include "quant/fields.h"

#include <array>
#include <cstddef>

#include "quant/blocks.h"

namespace assay {
namespace {

template <class Block>
struct FieldsOf;

#define FIELD(member, what)                                       \
  BlockField {                                                    \
#member, offsetof(Block, member), sizeof(Block::member), what \
  }
#define FIELDS(type, ...)                          \
  template <>                                      \
  struct FieldsOf<type> {                          \
    using Block = type;                            \
    static constexpr std::array list{__VA_ARGS__}; \
  };

// The macros keep names, places and sizes those of the structs.
FIELDS(BlockF32, FIELD(value, "f32"))
FIELDS(BlockF16, FIELD(bits, "f16"))
FIELDS(BlockBF16, FIELD(bits, "bf16"))
FIELDS(BlockQ4_0, FIELD(d, "f16, scale"),
       FIELD(qs, "nibbles: byte j is weight j (low) and weight j + 16 (high)"))
FIELDS(BlockQ4_1, FIELD(d, "f16, scale"), FIELD(m, "f16, minimum"),
       FIELD(qs, "nibbles: byte j is weight j (low) and weight j + 16 (high)"))
FIELDS(BlockQ5_0, FIELD(d, "f16, scale"), FIELD(qh, "high bits: bit i is weight i"),
       FIELD(qs, "low nibbles: byte j is weight j (low) and weight j + 16 (high)"))
FIELDS(BlockQ5_1, FIELD(d, "f16, scale"), FIELD(m, "f16, minimum"), FIELD(qh, "high bits: bit i is weight i"),
       FIELD(qs, "low nibbles: byte j is weight j (low) and weight j + 16 (high)"))
FIELDS(BlockQ8_0, FIELD(d, "f16, scale"), FIELD(q, "int8 a weight"))
FIELDS(BlockQ2_K, FIELD(scales, "a byte a sub-block: scale in bits 0-3, min in bits 4-7"),
       FIELD(qs, "two-bit codes"), FIELD(d, "f16, scale of the scales"),
       FIELD(dmin, "f16, scale of the mins"))
FIELDS(BlockQ3_K, FIELD(hmask, "high bits: weight i is bit i / 32 of byte i % 32"), FIELD(qs, "low two bits"),
       FIELD(scales, "sixteen 6-bit scales"), FIELD(d, "f16, scale of the scales"))
FIELDS(BlockQ4_K, FIELD(d, "f16, scale of the scales"), FIELD(dmin, "f16, scale of the mins"),
       FIELD(scales, "eight 6-bit scales and mins"),
       FIELD(qs, "nibbles: 32 bytes hold sub-blocks 2t (low) and 2t + 1 (high)"))
FIELDS(BlockQ5_K, FIELD(d, "f16, scale of the scales"), FIELD(dmin, "f16, scale of the mins"),
       FIELD(scales, "eight 6-bit scales and mins"),
       FIELD(qh, "high bits: weight i is bit i / 32 of byte i % 32"),
       FIELD(qs, "low nibbles: 32 bytes hold sub-blocks 2t (low) and 2t + 1 (high)"))
FIELDS(BlockQ6_K, FIELD(ql, "low four bits"), FIELD(qh, "top two bits"), FIELD(scales, "int8 a sub-block"),
       FIELD(d, "f16, scale of the scales"))
FIELDS(BlockIQ2_XXS, FIELD(d, "f16, scale"),
       FIELD(qs, "8 bytes a sub-block: four grid indices, then sign codes and scale"))
FIELDS(BlockIQ2_XS, FIELD(d, "f16, scale"), FIELD(qs, "a u16 for each group of eight: sign code, grid index"),
       FIELD(scales, "a nibble a sub-block"))
FIELDS(BlockIQ3_XXS, FIELD(d, "f16, scale"), FIELD(qs, "grid indices, a byte for every four weights"),
       FIELD(signs_and_scale, "a u32 a sub-block: sign codes, scale"))
FIELDS(BlockIQ1_S, FIELD(d, "f16, scale"), FIELD(qs, "low bits of the grid indices"),
       FIELD(qh, "a u16 a sub-block: sign of the shift, scale, top index bits"))
FIELDS(BlockIQ4_NL, FIELD(d, "f16, scale"),
       FIELD(qs, "nibbles: byte j is weight j (low) and weight j + 16 (high)"))
FIELDS(BlockIQ3_S, FIELD(d, "f16, scale"),
       FIELD(qs, "low bits of the grid indices, a byte for every four weights"),
       FIELD(qh, "top bits of the grid indices"), FIELD(signs, "a mask for each group of eight"),
       FIELD(scales, "a nibble a sub-block"))
FIELDS(BlockIQ2_S, FIELD(d, "f16, scale"), FIELD(qs, "low bits of the grid indices"),
       FIELD(signs, "a mask for each group of eight"), FIELD(qh, "top two bits of the grid indices"),
       FIELD(scales, "a nibble a sub-block"))
FIELDS(BlockIQ4_XS, FIELD(d, "f16, scale of the scales"), FIELD(scales_h, "top two bits of the scales"),
       FIELD(scales_l, "low four bits of the scales"),
       FIELD(qs, "nibbles: 16 bytes a sub-block, byte j is its weight j (low) and weight j + 16 (high)"))
FIELDS(BlockIQ1_M, FIELD(qs, "low bits of the grid indices"),
       FIELD(qh, "a nibble for each group of eight: sign of the shift, top index bits"),
       FIELD(scales, "four u16: a nibble of d, then four 3-bit scales"))
FIELDS(BlockTQ1_0, FIELD(qs, "five trits a byte"), FIELD(qh, "four trits a byte"), FIELD(d, "f16, scale"))
FIELDS(BlockTQ2_0, FIELD(qs, "two-bit codes"), FIELD(d, "f16, scale"))
FIELDS(BlockMXFP4, FIELD(e, "E8M0 exponent"),
       FIELD(qs, "E2M1 codes: byte j is weight j (low) and weight j + 16 (high)"))
FIELDS(BlockNVFP4, FIELD(scales, "unsigned E4M3 a sub-block"),
       FIELD(qs, "E2M1 codes: 8 bytes a sub-block, byte j is its weight j (low) and weight j + 8 (high)"))
FIELDS(BlockQ1_0, FIELD(d, "f16, scale"), FIELD(qs, "signs: weight i is bit i % 8 of byte i / 8"))
FIELDS(BlockQ2_0, FIELD(d, "f16, scale"), FIELD(qs, "two-bit codes: weight i is in byte i / 4"))

#undef FIELDS
#undef FIELD

struct Row {
  uint32_t id;
  std::span<const BlockField> fields;
};
template <class... Blocks>
constexpr auto rows_of() {
  return std::array{Row{Blocks::facts.id, FieldsOf<Blocks>::list}...};
}
constexpr auto kRows =
    rows_of<BlockF32, BlockF16, BlockBF16, BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_0, BlockQ2_K,
            BlockQ3_K, BlockQ4_K, BlockQ5_K, BlockQ6_K, BlockIQ2_XXS, BlockIQ2_XS, BlockIQ3_XXS, BlockIQ1_S,
            BlockIQ4_NL, BlockIQ3_S, BlockIQ2_S, BlockIQ4_XS, BlockIQ1_M, BlockTQ1_0, BlockTQ2_0, BlockMXFP4,
            BlockNVFP4, BlockQ1_0, BlockQ2_0>();

}  // namespace

std::span<const BlockField> block_fields(const QuantType& type) noexcept {
  for (const Row& row : kRows)
    if (row.id == type.id) return row.fields;
  return {};
}

}  // namespace assay
