// A block struct -> its row of the quant table. For table.cpp, and for rows that stand in for the healthy
// ones.
#pragma once
#include <cstring>

#include "quant/block.h"

namespace assay {

namespace describe_detail {

// A block that says how it dequantizes has no integer form, even when the struct that it derives from has
// one.
template <class Block>
constexpr bool kHasIntegers = !requires(const Block& block, float* w) {
  block.dequantize(w);
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

}  // namespace describe_detail

/// The row of a block struct with `facts` and either integers(IntegerBlock&) or dequantize(float*). Products
/// of a block without integers take activations as they are.
template <class Block>
constexpr QuantType describe() {
  using namespace describe_detail;
  constexpr QuantFacts facts = Block::facts;
  QuantType type{.name = facts.name,
                 .id = facts.id,
                 .block_elems = facts.block_elems,
                 .block_bytes = sizeof(Block),
                 .sub_elems = facts.sub_elems,
                 .has_mins = facts.has_mins,
                 .activations = kHasIntegers<Block> ? facts.activations : Activations::f32,
                 .dequantize = dequantize<Block>,
                 .integers = nullptr};
  if constexpr (kHasIntegers<Block>) type.integers = integers<Block>;
  return type;
}

}  // namespace assay
