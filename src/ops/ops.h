// The op set: the one door between an architecture and the arithmetic. Evaluators implement it (exact, twin,
// cpu); decorators wrap one (tracing, lockstep, fault injection).
#pragma once
#include <functional>
#include <string_view>

#include "ops/tensor.h"

namespace assay {

/// What a result is called in traces: llama.cpp's name for it and the layer ("Qcur-0"); layer -1 has no
/// suffix.
struct Name {
  const char* base;
  int layer = -1;
};

enum class Activation : uint8_t { silu, gelu };  // gelu: the tanh form

/// How a router's logits become weights of the chosen experts.
struct RouteParams {
  size_t n_used = 0;
  enum class Order : uint8_t { softmax_then_top, top_then_softmax } order = Order::softmax_then_top;
  bool normalize = false;  // divide the chosen weights by their sum
  double scale = 1;
};

/// One product of a linear() call.
struct Product {
  Name name;
  Tensor out;  // (n_tokens, n_rows)
  const Linear* linear;
};

/// The operations. After load() nothing here fails or allocates; shapes are facts, asserted. `out` never
/// overlaps an input unless the operation says "in place". Sizes: n_tokens = rows of the activations, at most
/// the n_rows they were allocated with.
class Ops {
 public:
  virtual ~Ops() = default;
  virtual std::string_view name() const noexcept = 0;

  /// Makes the weights ready (repacking, uploading); called once, before the first product. `progress` gets
  /// bytes done and bytes in all, from one thread at a time. Throws MachineError when memory runs out.
  using Progress = std::function<void(uint64_t done, uint64_t total)>;
  virtual void load(std::span<const Weight* const> weights, const Progress& progress) = 0;
  /// Zeroed activations that live as long as this object. Throws MachineError.
  virtual Tensor allocate(size_t n_rows, size_t n_cols) = 0;
  /// An empty cache. Throws MachineError.
  virtual std::unique_ptr<KvCache> make_kv_cache(const KvShape& shape) = 0;
  /// Copies activations out and in, row by row, without the stride.
  virtual void read(Tensor from, double* to) = 0;
  virtual void read(Tensor from, float* to) = 0;
  virtual void write(Tensor to, const double* from) = 0;

  /// out[i] = row ids[i] of the table, dequantized. ids are below table.n_rows.
  virtual void embed(Name name, Tensor out, const Weight& table, std::span<const int32_t> ids) noexcept = 0;
  /// rms: x / sqrt(mean(x^2) + epsilon); layer: (x - mean) / sqrt(variance + epsilon); times weight, plus
  /// bias. In place allowed.
  virtual void norm(Name name, Tensor out, Tensor in, const Norm& norm) noexcept = 0;
  /// Products that share an input, which is rounded once for each kind of activation rounding among them.
  virtual void linear(std::span<const Product> products, Tensor in) noexcept = 0;
  /// Rotates every head of x in place; x is (n_tokens, n_heads * head_dim).
  virtual void rope(Name name, Tensor x, size_t head_dim, const Rope& rope, const Batch& batch) noexcept = 0;
  /// Writes k and v of every row to its cache at its position; k, v are (n_tokens, n_kv_heads * head_dim).
  virtual void store_kv(size_t layer, Tensor k, Tensor v, const Batch& batch) noexcept = 0;
  /// Causal attention of each row over its own sequence; query head h reads kv head h / (n_heads /
  /// n_kv_heads).
  virtual void attention(Name name, size_t layer, Tensor out, Tensor q, const Batch& batch,
                         const AttentionParams& params) noexcept = 0;
  /// x = f(x), in place.
  virtual void activate(Name name, Tensor x, Activation f) noexcept = 0;
  /// gate = f(gate) * up, in place.
  virtual void activate_mul(Name name, Tensor gate, Tensor up, Activation f) noexcept = 0;
  /// x = x + y, in place.
  virtual void add(Name name, Tensor x, Tensor y) noexcept = 0;
  /// x = x * factor, in place.
  virtual void scale(Name name, Tensor x, double factor) noexcept = 0;
  /// x = cap * tanh(x / cap), in place.
  virtual void soft_cap(Name name, Tensor x, double cap) noexcept = 0;

  /// Chooses the experts of each token from router logits (n_tokens, n_experts); ties go to the lower id.
  virtual void route(Name name, Routing& routing, Tensor logits, const RouteParams& params) noexcept = 0;
  /// Products with each row's chosen experts. `in` has one row a token, or one a (token, slot); out has one a
  /// (token, slot).
  virtual void expert_linear(std::span<const Product> products, Tensor in,
                             const Routing& routing) noexcept = 0;
  /// out[t] = sum over slots, in order, of weight * slots[t * n_used + slot].
  virtual void expert_sum(Name name, Tensor out, Tensor slots, const Routing& routing) noexcept = 0;
};

}  // namespace assay
