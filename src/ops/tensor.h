// Views that the op set works on: activations, weights, rotations, the KV cache.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ops/kv_type.h"
#include "quant/table.h"

namespace assay {

/// Activations: a view of (n_rows, n_cols) numbers in a backend's memory, row-major, one row a token. The
/// number type is the backend's own (f64 in exact, f32 in twin and cpu); only the backend that allocated
/// `memory` may look inside.
struct Tensor {
  void* memory = nullptr;
  size_t offset = 0;  // of the first number, in numbers
  size_t n_rows = 0, n_cols = 0;
  size_t stride = 0;  // numbers from one row to the next

  Tensor rows(size_t begin, size_t count) const {
    return {memory, offset + begin * stride, count, n_cols, stride};
  }
  Tensor cols(size_t begin, size_t count) const { return {memory, offset + begin, n_rows, count, stride}; }
};

/// A weight matrix as the file stores it, (n_rows, n_cols) = (outputs, inputs); n_cols is whole blocks.
/// `n_experts` such matrices one after another for mixture models. Owned by the model; `bytes` point into the
/// mapped file.
struct Weight {
  std::string name;
  const QuantType* type = nullptr;
  size_t n_rows = 0, n_cols = 0, n_experts = 1;
  std::span<const std::byte> bytes;
  uint32_t id =
      0;  // dense index among the model's weights: a backend keeps its own form of it under this number

  size_t row_bytes() const { return n_cols / type->block_elems * type->block_bytes; }
  std::span<const std::byte> row(size_t row, size_t expert = 0) const {
    return bytes.subspan((expert * n_rows + row) * row_bytes(), row_bytes());
  }
};

/// Copies bytes [at, at + out.size()) of a weight.
using ReadWeight = std::function<void(const Weight&, uint64_t at, std::span<std::byte> out)>;

/// A product's parameters. `weight` null means absent.
struct Linear {
  const Weight* weight = nullptr;
  std::vector<float> bias;  // (n_rows) or, for experts, (n_experts * n_rows); empty: none
  std::vector<float>
      scale;  // multiplies the product before the bias: one value, or one an expert; empty: none
  explicit operator bool() const { return weight != nullptr; }
};

/// A normalisation. Each run of `group` columns is normalised alone (group = row length, or head_dim for
/// per-head norms).
struct Norm {
  enum class Kind : uint8_t { rms, layer } kind = Kind::rms;
  size_t group = 0;           // 0 means absent
  std::vector<float> weight;  // (group), shared by all groups, or one value a column
  std::vector<float> bias;    // the same; empty: none
  double epsilon = 0;
  explicit operator bool() const { return group != 0; }
};

/// Rotary position embedding: of each head the first 2 * frequencies.size() numbers are rotated in pairs,
/// pair j by the angle position * frequencies[j], and multiplied by `magnitude`. Scalings (linear, llama-3
/// factors, YaRN) are already in.
struct Rope {
  enum class Pairs : uint8_t {
    adjacent,
    halves
  } pairs = Pairs::adjacent;  // (2j, 2j+1), or (j, j + n_rot / 2)
  std::vector<double> frequencies;
  double magnitude = 1;
};

/// What attention does with its scores.
struct AttentionParams {
  size_t n_heads = 0, n_kv_heads = 0, head_dim = 0;
  double scale = 1;     // multiplies q . k
  double soft_cap = 0;  // cap * tanh(score / cap); 0: none
  size_t window = 0;    // a position sees itself and the window - 1 before it; 0: all
};

struct KvShape {
  size_t n_layers = 0, n_kv_heads = 0, head_dim = 0, n_ctx = 0;
  KvType type = KvType::f16;
};

/// The keys and values of one sequence, in a backend's memory. Positions are written once each and read by
/// later ones.
class KvCache {
 public:
  explicit KvCache(const KvShape& shape) : shape_(shape) {}
  virtual ~KvCache() = default;
  const KvShape& shape() const { return shape_; }
  /// Copies one head's key / value at `position` out, head_dim numbers.
  virtual void read_key(size_t layer, size_t kv_head, size_t position, double* out) const = 0;
  virtual void read_value(size_t layer, size_t kv_head, size_t position, double* out) const = 0;

 private:
  KvShape shape_;
};

/// The tokens of one forward pass. Row i is token ids[i] at positions[i] of the sequence whose cache is
/// caches[i]; the rows of one sequence are in ascending order of position.
struct Batch {
  std::span<const int32_t> ids;
  std::span<const int32_t> positions;
  std::span<KvCache* const> caches;
  size_t size() const { return ids.size(); }
};

/// Which experts each token goes to: (n_tokens, n_used) ids and weights, filled by Ops::route.
struct Routing {
  size_t n_used = 0;
  std::vector<int32_t> experts;
  std::vector<double> weights;
};

}  // namespace assay
