// The 16-bit floats of model files: IEEE binary16 and bfloat16.
#pragma once
#include <bit>
#include <cstdint>

namespace assay {

/// IEEE binary16 bits -> f32, exact for every input (subnormals, infinities; NaN stays NaN).
inline float half_to_float(uint16_t bits) noexcept {
  const uint32_t sign = uint32_t(bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 31u, mantissa = bits & 1023u;
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24
    const float magnitude = float(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
  }
  const uint32_t biased = exponent == 31 ? 255u : exponent + 112u;
  return std::bit_cast<float>(sign | (biased << 23) | (mantissa << 13));
}

/// f32 -> binary16 bits, rounded to nearest, ties to even; overflow to infinity; NaN stays a quiet NaN.
inline uint16_t float_to_half(float value) noexcept {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return uint16_t(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return uint16_t(sign | 0x7c00u);  // 65520 and up round to infinity
  if (magnitude < 0x38800000u) {                                  // below 2^-14: count of 2^-24 steps
    const float steps = std::bit_cast<float>(magnitude) * 0x1p24f + 0x1p23f;
    return uint16_t(sign | (std::bit_cast<uint32_t>(steps) & 0x7ffu));
  }
  const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return uint16_t(sign | ((rounded - 0x38000000u) >> 13));
}

inline float bf16_to_float(uint16_t bits) noexcept {
  return std::bit_cast<float>(uint32_t(bits) << 16);
}

/// f32 -> bfloat16 bits, rounded to nearest, ties to even; NaN stays a quiet NaN.
inline uint16_t float_to_bf16(float value) noexcept {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return uint16_t((bits >> 16) | 0x40u);
  return uint16_t((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace assay
