// The KV cache as the attention kernel reads it: keys in tiles of 16 positions, one lane a position; values
// row by row.
#pragma once
#include <cstring>

#include "base/half.h"
#include "base/memory.h"
#include "ops/tensor.h"

namespace assay::cpu {

class CpuKv final : public KvCache {
 public:
  explicit CpuKv(const KvShape& shape)
      : KvCache(shape),
        value_stride_((shape.head_dim + 15) / 16 * 16),
        // Whole attention tiles, so that a kernel may read to the end of the last one.
        n_positions_((shape.n_ctx + 63) / 64 * 64),
        keys_(shape.n_layers * shape.n_kv_heads * n_positions_ * shape.head_dim * number_bytes()),
        values_(shape.n_layers * shape.n_kv_heads * n_positions_ * value_stride_ * number_bytes()) {}

  size_t value_stride() const { return value_stride_; }
  bool half() const { return shape().type == KvType::f16; }
  const std::byte* keys(size_t layer, size_t kv_head) const {
    return keys_.data() + key_index(layer, kv_head, 0, 0) * number_bytes();
  }
  const std::byte* values(size_t layer, size_t kv_head) const {
    return values_.data() + value_index(layer, kv_head, 0, 0) * number_bytes();
  }

  /// One head's key and value at a position.
  void store(size_t layer, size_t kv_head, size_t position, const float* key, const float* value) {
    for (size_t d = 0; d < shape().head_dim; ++d) {
      put(keys_.data(), key_index(layer, kv_head, position, d), key[d]);
      put(values_.data(), value_index(layer, kv_head, position, d), value[d]);
    }
  }
  void read_key(size_t layer, size_t kv_head, size_t position, double* out) const override {
    for (size_t d = 0; d < shape().head_dim; ++d)
      out[d] = get(keys_.data(), key_index(layer, kv_head, position, d));
  }
  void read_value(size_t layer, size_t kv_head, size_t position, double* out) const override {
    for (size_t d = 0; d < shape().head_dim; ++d)
      out[d] = get(values_.data(), value_index(layer, kv_head, position, d));
  }

 private:
  size_t number_bytes() const { return shape().type == KvType::f16 ? 2 : 4; }
  size_t key_index(size_t layer, size_t kv_head, size_t position, size_t d) const {
    const size_t tile = ((layer * shape().n_kv_heads + kv_head) * n_positions_ + position) / 16;
    return (tile * shape().head_dim + d) * 16 + position % 16;
  }
  size_t value_index(size_t layer, size_t kv_head, size_t position, size_t d) const {
    return ((layer * shape().n_kv_heads + kv_head) * n_positions_ + position) * value_stride_ + d;
  }
  void put(std::byte* base, size_t index, float x) {
    if (half()) {
      const uint16_t bits = float_to_half(x);
      std::memcpy(base + 2 * index, &bits, 2);
    } else {
      std::memcpy(base + 4 * index, &x, 4);
    }
  }
  float get(const std::byte* base, size_t index) const {
    if (half()) {
      uint16_t bits;
      std::memcpy(&bits, base + 2 * index, 2);
      return half_to_float(bits);
    }
    float x;
    std::memcpy(&x, base + 4 * index, 4);
    return x;
  }

  size_t value_stride_, n_positions_;
  LargeBlock keys_, values_;
};

}  // namespace assay::cpu
