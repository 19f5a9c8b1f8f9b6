// The scalar arithmetic of docs/arithmetic.md: what every CPU kernel must reproduce bit for bit.
#pragma once
#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "ops/tensor.h"

namespace assay::twin {

/// Activations rounded to int8 blocks of 32 (q8_0) or 256 (q8_k) values.
struct RoundedRow {
  std::vector<int8_t> q;
  std::vector<float> d;  // one a block
};
RoundedRow round_q8_k(std::span<const float> x);
RoundedRow round_q8_0(std::span<const float> x);

/// Product of one row of a weight with one token's activations; `rounded` belongs to the type's activation
/// rounding (unused for f32).
float dot(const QuantType& type, std::span<const std::byte> weight_row, std::span<const float> x,
          const RoundedRow& rounded);

/// Product of one row of BF16 weights with one token's activations by the BF16 dot.
float bf16_dot(std::span<const std::byte> weight_row, std::span<const float> x);

float exp(float x);
float tanh(float x);
float silu(float x);
float gelu(float x);
float soft_cap(float x, float cap);

/// Sum of 16 lanes in the fixed order.
float tree(std::array<float, 16> lane);

/// One run of `group` values.
void normalize(Norm::Kind kind, float epsilon, std::span<const float> x, const float* weight,
               const float* bias, float* y);

/// One query head over keys and values of positions [begin, end); key(j) and value(j) point at head_dim
/// numbers.
template <class Key, class Value>
void attend(const AttentionParams& params, const float* query, size_t begin, size_t end, const Key& key,
            const Value& value, float* out);

}  // namespace assay::twin

#include "twin/attend.h"
