#include "diagnose/weights/agreement.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/half.h"

namespace assay {
namespace {

float round_to(float w, DumpRounding rounding) noexcept {
  switch (rounding) {
    case DumpRounding::none:
      return w;
    case DumpRounding::f16:
      return half_to_float(float_to_half(w));
    case DumpRounding::bf16:
      return bf16_to_float(float_to_bf16(w));
    case DumpRounding::bf16_cut:
      return std::bit_cast<float>(std::bit_cast<uint32_t>(w) & 0xffff0000u);
  }
  return w;
}

}  // namespace

std::string_view rounding_name(DumpRounding rounding) noexcept {
  constexpr std::string_view kNames[] = {"", "rounded to f16", "rounded to bf16", "cut to bf16"};
  return kNames[size_t(rounding)];
}

std::vector<DumpRounding> possible_roundings(DumpType type, std::span<const float> values) {
  if (type == DumpType::f16) return {DumpRounding::f16};
  if (type == DumpType::bf16) return {DumpRounding::bf16, DumpRounding::bf16_cut};
  const auto all = [&](DumpRounding rounding) {
    return std::ranges::all_of(values, [&](float v) { return std::isnan(v) || round_to(v, rounding) == v; });
  };
  std::vector<DumpRounding> roundings{DumpRounding::none};
  if (all(DumpRounding::f16)) roundings.push_back(DumpRounding::f16);
  if (all(DumpRounding::bf16)) {
    roundings.push_back(DumpRounding::bf16);
    roundings.push_back(DumpRounding::bf16_cut);
  }
  return roundings;
}

bool agrees(float dumped, float w, float slack, DumpRounding rounding) noexcept {
  if (dumped == w) return true;
  if (std::isnan(w) || std::isnan(dumped)) return std::isnan(w) && std::isnan(dumped);
  if (std::isinf(w)) return false;
  if (rounding == DumpRounding::none) return std::fabs(dumped - w) <= slack;
  return dumped >= round_to(w - slack, rounding) && dumped <= round_to(w + slack, rounding);
}

void decode_slack(const QuantType& type, std::span<const std::byte> blocks, std::span<const float> values,
                  std::span<float> slack) {
  for (size_t i = 0; i < values.size(); ++i) slack[i] = kFourU * std::fabs(values[i]);
  if (!type.integers || !type.has_mins) return;
  IntegerBlock b;
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t in_block = i % type.block_elems;
    if (in_block == 0) type.integers(blocks.data() + i / type.block_elems * type.block_bytes, b);
    const size_t s = in_block / type.sub_elems;
    slack[i] = kFourU * (std::fabs(b.d * float(b.scale[s]) * float(b.q[in_block])) +
                         std::fabs(b.dmin * float(b.min[s])));
  }
}

}  // namespace assay
