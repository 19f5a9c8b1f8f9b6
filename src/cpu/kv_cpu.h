// The KV cache as the attention kernel reads it: keys in tiles of 16 positions, one lane a position; values
// row by row.
#pragma once
#include <cstring>

#include "base/half.h"
#include "base/memory.h"
#include "cpu/kernel_set.h"
#include "ops/tensor.h"

namespace assay::cpu {

class CpuKv final : public KvCache {
 public:
  explicit CpuKv(const KvShape& shape)
      : KvCache(shape),
        value_stride_((shape.head_dim + 15) / 16 * 16),
        // Whole attention tiles, so that a kernel may read to the end of the last one.
        n_positions_((shape.n_ctx + 63) / 64 * 64),
        keys_(n_heads() * n_positions_ * shape.head_dim * code_bytes()),
        values_(n_heads() * n_positions_ * value_stride_ * code_bytes()),
        key_scales_(n_heads() * n_positions_ * n_groups() * sizeof(float)),
        value_scales_(n_heads() * n_positions_ * n_groups() * sizeof(float)) {}

  size_t value_stride() const { return value_stride_; }
  const std::byte* keys(size_t layer, size_t kv_head) const {
    return keys_.data() + key_index(layer, kv_head, 0, 0) * code_bytes();
  }
  const std::byte* values(size_t layer, size_t kv_head) const {
    return values_.data() + value_index(layer, kv_head, 0, 0) * code_bytes();
  }
  const float* key_scales(size_t layer, size_t kv_head) const {
    return scales(key_scales_) + key_scale_index(layer, kv_head, 0, 0);
  }
  const float* value_scales(size_t layer, size_t kv_head) const {
    return scales(value_scales_) + value_scale_index(layer, kv_head, 0, 0);
  }

  /// One head's key and value at a position.
  void store(const KernelSet& kernels, size_t layer, size_t kv_head, size_t position, const float* key,
             const float* value) {
    if (shape().type == KvType::q8_0) return store_rounded(kernels, layer, kv_head, position, key, value);
    for (size_t d = 0; d < shape().head_dim; ++d) {
      put(keys_.data(), key_index(layer, kv_head, position, d), key[d]);
      put(values_.data(), value_index(layer, kv_head, position, d), value[d]);
    }
  }
  void read_key(size_t layer, size_t kv_head, size_t position, double* out) const override {
    for (size_t d = 0; d < shape().head_dim; ++d)
      out[d] = get(keys_, key_index(layer, kv_head, position, d), key_scales_,
                   key_scale_index(layer, kv_head, position, d));
  }
  void read_value(size_t layer, size_t kv_head, size_t position, double* out) const override {
    for (size_t d = 0; d < shape().head_dim; ++d)
      out[d] = get(values_, value_index(layer, kv_head, position, d), value_scales_,
                   value_scale_index(layer, kv_head, position, d));
  }

 private:
  static constexpr size_t kGroup = 32;  // numbers of a q8_0 scale

  size_t n_heads() const { return shape().n_layers * shape().n_kv_heads; }
  size_t code_bytes() const { return shape().type == KvType::f32 ? 4 : shape().type == KvType::f16 ? 2 : 1; }
  /// Scales of a head at a position.
  size_t n_groups() const { return shape().type == KvType::q8_0 ? shape().head_dim / kGroup : 0; }
  static float* scales(LargeBlock& block) { return reinterpret_cast<float*>(block.data()); }
  static const float* scales(const LargeBlock& block) { return reinterpret_cast<const float*>(block.data()); }
  size_t key_scale_index(size_t layer, size_t kv_head, size_t position, size_t d) const {
    const size_t tile = ((layer * shape().n_kv_heads + kv_head) * n_positions_ + position) / 16;
    return (tile * n_groups() + d / kGroup) * 16 + position % 16;
  }
  size_t value_scale_index(size_t layer, size_t kv_head, size_t position, size_t d) const {
    return ((layer * shape().n_kv_heads + kv_head) * n_positions_ + position) * n_groups() + d / kGroup;
  }
  void store_rounded(const KernelSet& kernels, size_t layer, size_t kv_head, size_t position,
                     const float* key, const float* value) {
    for (size_t d = 0; d < shape().head_dim; d += kGroup) {
      RoundedQ8_0 k, v;
      kernels.round_q8_0(key + d, 1, &k);
      kernels.round_q8_0(value + d, 1, &v);
      for (size_t i = 0; i < kGroup; ++i) {
        keys_.data()[key_index(layer, kv_head, position, d + i)] = std::byte(k.q[i]);
        values_.data()[value_index(layer, kv_head, position, d + i)] = std::byte(v.q[i]);
      }
      scales(key_scales_)[key_scale_index(layer, kv_head, position, d)] = k.d;
      scales(value_scales_)[value_scale_index(layer, kv_head, position, d)] = v.d;
    }
  }
  size_t key_index(size_t layer, size_t kv_head, size_t position, size_t d) const {
    const size_t tile = ((layer * shape().n_kv_heads + kv_head) * n_positions_ + position) / 16;
    return (tile * shape().head_dim + d) * 16 + position % 16;
  }
  size_t value_index(size_t layer, size_t kv_head, size_t position, size_t d) const {
    return ((layer * shape().n_kv_heads + kv_head) * n_positions_ + position) * value_stride_ + d;
  }
  void put(std::byte* base, size_t index, float x) {
    if (shape().type == KvType::f16) {
      const uint16_t bits = float_to_half(x);
      std::memcpy(base + 2 * index, &bits, 2);
    } else {
      std::memcpy(base + 4 * index, &x, 4);
    }
  }
  float get(const LargeBlock& block, size_t index, const LargeBlock& scales_of, size_t scale_index) const {
    const std::byte* const base = block.data();
    switch (shape().type) {
      case KvType::q8_0:
        return scales(scales_of)[scale_index] * float(int8_t(base[index]));
      case KvType::f16: {
        uint16_t bits;
        std::memcpy(&bits, base + 2 * index, 2);
        return half_to_float(bits);
      }
      case KvType::f32:
        break;
    }
    float x;
    std::memcpy(&x, base + 4 * index, 4);
    return x;
  }

  size_t value_stride_, n_positions_;
  LargeBlock keys_, values_;
  LargeBlock key_scales_, value_scales_;  // q8_0
};

}  // namespace assay::cpu
