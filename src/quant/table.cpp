#include "quant/table.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "quant/bf16.h"
#include "quant/f16.h"
#include "quant/f32.h"
#include "quant/iq1_m.h"
#include "quant/iq1_s.h"
#include "quant/iq2_s.h"
#include "quant/iq2_xs.h"
#include "quant/iq2_xxs.h"
#include "quant/iq3_s.h"
#include "quant/iq3_xxs.h"
#include "quant/iq4_nl.h"
#include "quant/iq4_xs.h"
#include "quant/mxfp4.h"
#include "quant/nvfp4.h"
#include "quant/q1_0.h"
#include "quant/q2_0.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q4_k.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"
#include "quant/tq1_0.h"
#include "quant/tq2_0.h"

namespace assay {
namespace {

template <class Block>
constexpr bool kHasIntegers = requires(const Block& block, IntegerBlock& out) {
  block.integers(out);
};

template <class Block>
Block load(const std::byte* bytes) noexcept {
  Block block;
  std::memcpy(&block, bytes, sizeof(Block));
  return block;
}

template <class Block>
void dequantize(const std::byte* blocks, size_t n_blocks, float* w) noexcept {
  constexpr QuantFacts facts = Block::facts;
  if constexpr (kHasIntegers<Block>) {
    IntegerBlock b;
    for (size_t k = 0; k < n_blocks; ++k, w += facts.block_elems) {
      load<Block>(blocks + k * sizeof(Block)).integers(b);
      for (size_t s = 0; s < facts.block_elems / facts.sub_elems; ++s) {
        const float factor = b.d * float(b.scale[s]);
        const float offset = b.dmin * float(b.min[s]);
        for (size_t i = s * facts.sub_elems; i < (s + 1u) * facts.sub_elems; ++i) {
          w[i] = factor * float(b.q[i]);
          if constexpr (facts.has_mins) w[i] -= offset;
        }
      }
    }
  } else {
    for (size_t k = 0; k < n_blocks; ++k)
      load<Block>(blocks + k * sizeof(Block)).dequantize(w + k * facts.block_elems);
  }
}

template <class Block>
void integers(const std::byte* block, IntegerBlock& out) noexcept {
  load<Block>(block).integers(out);
}

template <class Block>
constexpr QuantType describe() {
  constexpr QuantFacts facts = Block::facts;
  QuantType type{.name = facts.name,
                 .id = facts.id,
                 .block_elems = facts.block_elems,
                 .block_bytes = sizeof(Block),
                 .sub_elems = facts.sub_elems,
                 .has_mins = facts.has_mins,
                 .activations = facts.activations,
                 .dequantize = dequantize<Block>,
                 .integers = nullptr};
  if constexpr (kHasIntegers<Block>) type.integers = integers<Block>;
  return type;
}

constexpr std::array kQuantTypes{
    describe<BlockF32>(),     describe<BlockF16>(),    describe<BlockQ4_0>(),    describe<BlockQ4_1>(),
    describe<BlockQ5_0>(),    describe<BlockQ5_1>(),   describe<BlockQ8_0>(),    describe<BlockQ2_K>(),
    describe<BlockQ3_K>(),    describe<BlockQ4_K>(),   describe<BlockQ5_K>(),    describe<BlockQ6_K>(),
    describe<BlockIQ2_XXS>(), describe<BlockIQ2_XS>(), describe<BlockIQ3_XXS>(), describe<BlockIQ1_S>(),
    describe<BlockIQ4_NL>(),  describe<BlockIQ3_S>(),  describe<BlockIQ2_S>(),   describe<BlockIQ4_XS>(),
    describe<BlockIQ1_M>(),   describe<BlockBF16>(),   describe<BlockTQ1_0>(),   describe<BlockTQ2_0>(),
    describe<BlockMXFP4>(),   describe<BlockNVFP4>(),  describe<BlockQ1_0>(),    describe<BlockQ2_0>(),
};

struct RemovedType {
  uint32_t id;
  std::string_view name;
};
// Ids that ggml once gave to types and no longer reads (ggml.h of llama.cpp v0.5.0).
constexpr RemovedType kRemovedTypes[] = {
    {4, "Q4_2"},      {5, "Q4_3"},        {31, "Q4_0_4_4"},   {32, "Q4_0_4_8"},
    {33, "Q4_0_8_8"}, {36, "IQ4_NL_4_4"}, {37, "IQ4_NL_4_8"}, {38, "IQ4_NL_8_8"},
};

char upper(char c) {
  return c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c;
}

}  // namespace

std::span<const QuantType> quant_types() noexcept {
  return kQuantTypes;
}

const QuantType* find_quant_type(uint32_t id) noexcept {
  for (const QuantType& type : kQuantTypes)
    if (type.id == id) return &type;
  return nullptr;
}

const QuantType* find_quant_type(std::string_view name) noexcept {
  for (const QuantType& type : kQuantTypes)
    if (std::equal(type.name.begin(), type.name.end(), name.begin(), name.end(),
                   [](char a, char b) { return a == upper(b); }))
      return &type;
  return nullptr;
}

std::optional<std::string_view> removed_quant_type(uint32_t id) noexcept {
  for (const RemovedType& type : kRemovedTypes)
    if (type.id == id) return type.name;
  return std::nullopt;
}

}  // namespace assay
