// Block structs gone wrong: each derives from the healthy one and misreads something in integers() or
// dequantize().
#pragma once
#include <array>
#include <utility>

#include "diagnose/faults/fault.h"
#include "quant/blocks.h"
#include "quant/describe.h"

namespace assay {

/// Faulty rows of several types, one for each healthy block that Faulty<Block> derives from.
template <template <class> class Faulty, class... Blocks>
constexpr auto faulty_rows() {
  return std::array{describe<Faulty<Blocks>>()...};
}

/// The same, from lists that were made apart.
template <size_t M, size_t N>
constexpr auto joined(const std::array<QuantType, M>& a, const std::array<QuantType, N>& b) {
  return [&]<size_t... I, size_t... J>(std::index_sequence<I...>, std::index_sequence<J...>) {
    return std::array<QuantType, M + N>{a[I]..., b[J]...};
  }
  (std::make_index_sequence<M>(), std::make_index_sequence<N>());
}

/// How a faulty decoder turns the 16 bits of a scale into a number.
using HalfReader = float (*)(uint16_t bits);

/// `block` with its f16 scales read by `read`. What else multiplies d (1/8 in IQ2 types) stays: it is what a
/// d of 1 gives.
template <class Block>
void read_halves(const Block& block, IntegerBlock& out, HalfReader read) noexcept {
  constexpr uint16_t kOne = 0x3c00;
  Block unit = block;
  unit.d = kOne;
  unit.integers(out);
  out.d *= read(block.d);
  if constexpr (requires { block.dmin; }) out.dmin = read(block.dmin);
  if constexpr (requires { block.m; }) out.dmin = read(block.m);
}

/// Types whose d is an f16 field, and one more parameter for the faulty struct.
template <template <class, HalfReader> class Faulty, HalfReader kRead>
constexpr auto faulty_half_rows() {
  const auto rows = []<class... Blocks>(std::type_identity<Blocks>...) {
    return std::array{describe<Faulty<Blocks, kRead>>()...};
  };
  return rows(
      std::type_identity<BlockQ4_0>{}, std::type_identity<BlockQ4_1>{}, std::type_identity<BlockQ5_0>{},
      std::type_identity<BlockQ5_1>{}, std::type_identity<BlockQ8_0>{}, std::type_identity<BlockQ2_K>{},
      std::type_identity<BlockQ3_K>{}, std::type_identity<BlockQ4_K>{}, std::type_identity<BlockQ5_K>{},
      std::type_identity<BlockQ6_K>{}, std::type_identity<BlockIQ2_XXS>{}, std::type_identity<BlockIQ2_XS>{},
      std::type_identity<BlockIQ3_XXS>{}, std::type_identity<BlockIQ1_S>{}, std::type_identity<BlockIQ4_NL>{},
      std::type_identity<BlockIQ3_S>{}, std::type_identity<BlockIQ2_S>{}, std::type_identity<BlockIQ4_XS>{},
      std::type_identity<BlockTQ1_0>{}, std::type_identity<BlockTQ2_0>{}, std::type_identity<BlockQ1_0>{},
      std::type_identity<BlockQ2_0>{});
}

}  // namespace assay
