#include "quant/table.h"

#include <algorithm>
#include <array>

#include "quant/blocks.h"
#include "quant/describe.h"

namespace assay {
namespace {

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
