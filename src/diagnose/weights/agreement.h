// When a dumped number agrees with a decoded one.
//
// Engines that read the same bytes give the same weights, up to the order of three roundings. w = d * scale *
// q - dmin * min evaluated in f32 in any order, fused or not, is at most 4u (|d * scale * q| + |dmin * min|)
// off, u = 2^-24: each term has at most two roundings of its own, and the difference one. A dump of 16 bits
// rounds once more; rounding is monotone, so the dump lies between the roundings of both ends. Nothing else
// is arithmetic.
#pragma once
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "diagnose/dumps/dump.h"
#include "quant/table.h"

namespace assay {

inline constexpr float kFourU = 0x1p-22f;

/// What was done to the weights before they were dumped.
enum class DumpRounding : uint8_t { none, f16, bf16, bf16_cut };  // bf16_cut: low bits dropped
/// "", "rounded to f16", ...
std::string_view rounding_name(DumpRounding rounding) noexcept;

/// The roundings that the values can have gone through, by the dump's type and by what its numbers are;
/// likeliest first.
std::vector<DumpRounding> possible_roundings(DumpType type, std::span<const float> values);

/// Whether `dumped` is `w` up to `slack` and the rounding. NaN agrees with NaN.
bool agrees(float dumped, float w, float slack, DumpRounding rounding) noexcept;

/// The slack of each weight of some blocks: by the formula above for types with integers, else 4u |w|.
void decode_slack(const QuantType& type, std::span<const std::byte> blocks, std::span<const float> values,
                  std::span<float> slack);

}  // namespace assay
