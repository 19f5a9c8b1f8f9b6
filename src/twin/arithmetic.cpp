#include "twin/arithmetic.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/half.h"

namespace assay::twin {
namespace {

/// Nearest integer, ties to even, cut to [-127, 127]; NaN gives -127 (its block's d is NaN anyway).
int8_t code(float x) {
  const float r = std::nearbyint(x);
  if (!(r >= -127)) return -127;
  return int8_t(r > 127 ? 127 : r);
}

/// 0, or NaN when a value of the block is not finite.
float poison(std::span<const float> x) {
  for (const float v : x)
    if (!std::isfinite(v)) return std::numeric_limits<float>::quiet_NaN();
  return 0;
}

}  // namespace

RoundedRow round_q8_k(std::span<const float> x) {
  RoundedRow row{std::vector<int8_t>(x.size()), std::vector<float>(x.size() / 256)};
  for (size_t b = 0; b < row.d.size(); ++b) {
    const std::span<const float> block = x.subspan(b * 256, 256);
    float m = 0;
    for (const float v : block)
      if (std::fabs(v) > std::fabs(m)) m = v;
    if (m == 0) {
      row.d[b] = poison(block);
      continue;
    }
    const float r = -127.0f / m;
    for (size_t i = 0; i < 256; ++i) row.q[b * 256 + i] = code(r * block[i]);
    row.d[b] = 1 / r + poison(block);
  }
  return row;
}

RoundedRow round_q8_0(std::span<const float> x) {
  RoundedRow row{std::vector<int8_t>(x.size()), std::vector<float>(x.size() / 32)};
  for (size_t b = 0; b < row.d.size(); ++b) {
    const std::span<const float> block = x.subspan(b * 32, 32);
    float top = 0;
    for (const float v : block) top = std::fabs(v) > top ? std::fabs(v) : top;
    const float d = top / 127;
    if (d != 0) {
      const float r = 1 / d;
      for (size_t i = 0; i < 32; ++i) row.q[b * 32 + i] = code(block[i] * r);
    }
    row.d[b] = half_to_float(float_to_half(d + poison(block)));
  }
  return row;
}

float dot(const QuantType& type, std::span<const std::byte> weight_row, std::span<const float> x,
          const RoundedRow& rounded) {
  const size_t n_blocks = x.size() / type.block_elems;
  float acc = 0;
  if (type.activations == Activations::f32) {
    std::vector<float> w(x.size());
    type.dequantize(weight_row.data(), n_blocks, w.data());
    for (size_t k = 0; k < x.size(); ++k) acc = std::fma(w[k], x[k], acc);
    return acc;
  }
  // The activation block is the unit of accumulation; a weight block is one or more of them (Q1_0 and Q2_0
  // have several).
  const size_t unit = type.activations == Activations::q8_k ? 256 : 32;
  for (size_t b = 0; b < n_blocks; ++b) {
    IntegerBlock w;
    type.integers(weight_row.data() + b * type.block_bytes, w);
    for (size_t begin = 0; begin < type.block_elems; begin += unit) {
      const size_t k0 = b * type.block_elems + begin;
      int32_t s = 0, m = 0;
      for (size_t i = begin; i < begin + unit; ++i) {
        const int32_t a = rounded.q[k0 + i - begin];
        s += int32_t(w.scale[i / type.sub_elems]) * int32_t(w.q[i]) * a;
        m += int32_t(w.min[i / type.sub_elems]) * a;
      }
      const float da = rounded.d[k0 / unit];
      acc = std::fma(w.d * da, float(s), acc);
      if (type.has_mins) acc = std::fma(-(w.dmin * da), float(m), acc);
    }
  }
  return acc;
}

float bf16_dot(std::span<const std::byte> weight_row, std::span<const float> x) {
  const auto flushed = [](float v) {
    return std::fpclassify(v) == FP_SUBNORMAL ? std::copysign(0.0f, v) : v;
  };
  const auto add = [](float w, float a, float acc) {
    // The f64 sum of a 16-bit product and a number of 24 bits near 2^-126 is exact.
    const double exact = std::fma(double(w), double(a), double(acc));
    // What rounds to 24 bits below 2^-126 is zero; half a step below rounds up to it.
    if (exact != 0 && std::fabs(exact) < 0x1.ffffffp-127) return float(std::copysign(0.0, exact));
    return std::fma(w, a, acc);
  };
  const auto weight = [&](size_t k) {
    uint16_t bits;
    std::memcpy(&bits, weight_row.data() + 2 * k, sizeof bits);
    return flushed(bf16_to_float(bits));
  };
  const auto activation = [&](size_t k) { return bf16_to_float(float_to_bf16(flushed(x[k]))); };
  float acc = 0;
  for (size_t k = 0; k < x.size(); k += 2) {
    const bool both = k + 1 < x.size();
    acc = add(both ? weight(k + 1) : 0.0f, both ? activation(k + 1) : 0.0f, acc);
    acc = add(weight(k), activation(k), acc);
  }
  return acc;
}

float exp(float x) {
  if (std::isnan(x)) return x;
  if (x < -86) return 0;
  x = x > 88 ? 88 : x;
  const float n = std::nearbyint(x * 1.44269504f);
  // ln 2 in two parts: the first has 12 bits, the second what is missing.
  float r = std::fma(n, -0.693115234f, x);
  r = std::fma(n, -3.19461849e-5f, r);
  float p = 1.0f / 5040;
  for (const float c : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) p = std::fma(p, r, c);
  return std::ldexp(p, int(n));
}

float tanh(float x) {
  return 1 - 2 / (twin::exp(2 * x) + 1);
}
float silu(float x) {
  return x / (1 + twin::exp(-x));
}
float gelu(float x) {
  const float u = 0.7978845608f * std::fma(0.044715f * (x * x), x, x);
  return x / (1 + twin::exp(-2 * u));
}
float soft_cap(float x, float cap) {
  return cap * twin::tanh(x / cap);
}

float tree(std::array<float, 16> lane) {
  for (size_t step : {8u, 4u, 2u, 1u})
    for (size_t l = 0; l < step; ++l) lane[l] += lane[l + step];
  return lane[0];
}

void normalize(Norm::Kind kind, float epsilon, std::span<const float> x, const float* weight,
               const float* bias, float* y) {
  const float n = float(x.size());
  float mean = 0;
  if (kind == Norm::Kind::layer) {
    std::array<float, 16> lane{};
    for (size_t i = 0; i < x.size(); ++i) lane[i % 16] += x[i];
    mean = tree(lane) / n;
  }
  std::array<float, 16> lane{};
  for (size_t i = 0; i < x.size(); ++i) lane[i % 16] = std::fma(x[i] - mean, x[i] - mean, lane[i % 16]);
  const float r = 1 / std::sqrt(tree(lane) / n + epsilon);
  for (size_t i = 0; i < x.size(); ++i) {
    float v = (x[i] - mean) * r;
    if (weight) v *= weight[i];
    if (bias) v += bias[i];
    y[i] = v;
  }
}

}  // namespace assay::twin
