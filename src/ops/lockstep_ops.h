// Lockstep: a decorator of the op set that runs every operation on two evaluators with the same inputs.
#pragma once
#include <exception>
#include <functional>
#include <list>
#include <variant>
#include <vector>

#include "ops/ops.h"

namespace assay {

/// Activations copied out of an evaluator, (n_rows, n_cols).
struct Values {
  size_t n_rows = 0, n_cols = 0;
  std::vector<double> x;
  const double* row(size_t i) const { return x.data() + i * n_cols; }
};

// What an operation was called with, beside its activations; pointers live during the call.
struct EmbedCall {
  const Weight* table;
  std::span<const int32_t> ids;
};
struct NormCall {
  const Norm* norm;
};
struct LinearCall {
  const Linear* linear;
  const Routing* routing;  // null: a plain product; else out has a row for each of its slots
};
struct RopeCall {
  size_t head_dim;
  const Rope* rope;
  std::span<const int32_t> positions;
};
/// in: keys, in2: values; the results are both, side by side, as the cache gives them back.
struct StoreCall {
  const KvShape* shape;
};
/// The caches agree, unless an earlier StoreCall said otherwise.
struct AttentionCall {
  size_t layer;
  std::span<const int32_t> positions;
  std::span<KvCache* const> caches;  // the first's
  const AttentionParams* params;
};
struct ActivateCall {
  Activation f;
  bool times_in2;
};
struct AddCall {};
struct ScaleCall {
  double factor;
};
struct SoftCapCall {
  double cap;
};
/// The results are (n_tokens, 2 * n_used): ids of the experts, then their weights.
struct RouteCall {
  const RouteParams* params;
};
struct ExpertSumCall {
  const Routing* routing;
};
using Call = std::variant<EmbedCall, NormCall, LinearCall, RopeCall, StoreCall, AttentionCall, ActivateCall,
                          AddCall, ScaleCall, SoftCapCall, RouteCall, ExpertSumCall>;

/// One operation as both evaluators did it. in and in2 are what both read: in2 is the second operand of
/// activate_mul, add and store_kv.
struct LockstepStep {
  Name name;
  Call call;
  Values in, in2;
  Values first, second;  // the results
};
/// "linear", "norm", ...
std::string_view op_name(const Call& call) noexcept;

using LockstepSink = std::function<void(const LockstepStep&)>;

/// Runs every operation on `first`, then on `second` with first's inputs written over second's own, and hands
/// both results to `sink`: an error can neither hide behind an earlier one nor be blamed on it. What is read
/// from here is the first's, so a run looks like one of `first` alone. Inputs are the same numbers only when
/// second can hold first's: of f32 and f64 evaluators the f32 one is the first.
///
/// KV caches go in pairs; the second stores the first's keys and values. Routing is the first's for both.
class LockstepOps final : public Ops {
 public:
  /// Both outlive this object.
  LockstepOps(Ops& first, Ops& second, LockstepSink sink)
      : first_(first), second_(second), sink_(std::move(sink)) {}

  /// What the sink, or the memory for a step, threw first; after it only `first` runs.
  std::exception_ptr failure() const { return failure_; }

  std::string_view name() const noexcept override { return "lockstep"; }
  void load(std::span<const Weight* const> weights, const Progress& progress) override;
  Tensor allocate(size_t n_rows, size_t n_cols) override;
  std::unique_ptr<KvCache> make_kv_cache(const KvShape& shape) override;
  void read(Tensor from, double* to) override;
  void read(Tensor from, float* to) override;
  void write(Tensor to, const double* from) override;

  void embed(Name name, Tensor out, const Weight& table, std::span<const int32_t> ids) noexcept override;
  void norm(Name name, Tensor out, Tensor in, const Norm& norm) noexcept override;
  void linear(std::span<const Product> products, Tensor in) noexcept override;
  void rope(Name name, Tensor x, size_t head_dim, const Rope& rope, const Batch& batch) noexcept override;
  void store_kv(size_t layer, Tensor k, Tensor v, const Batch& batch) noexcept override;
  void attention(Name name, size_t layer, Tensor out, Tensor q, const Batch& batch,
                 const AttentionParams& params) noexcept override;
  void activate(Name name, Tensor x, Activation f) noexcept override;
  void activate_mul(Name name, Tensor gate, Tensor up, Activation f) noexcept override;
  void add(Name name, Tensor x, Tensor y) noexcept override;
  void scale(Name name, Tensor x, double factor) noexcept override;
  void soft_cap(Name name, Tensor x, double cap) noexcept override;
  void route(Name name, Routing& routing, Tensor logits, const RouteParams& params) noexcept override;
  void expert_linear(std::span<const Product> products, Tensor in, const Routing& routing) noexcept override;
  void expert_sum(Name name, Tensor out, Tensor slots, const Routing& routing) noexcept override;

 private:
  enum class Side : uint8_t { first, second };
  /// The same numbers in each evaluator's memory, as it allocated them.
  struct Pair {
    Tensor first, second;
  };
  Tensor view(Tensor t, Side side) const;
  std::span<const Product> products_of(std::span<const Product> products, Side side);
  Batch batch_of(const Batch& batch, Side side);
  Values values(Tensor t, Side side);
  /// The first's values, written over the second's.
  Values share(Tensor t);

  /// run(ops, side) on both, the results in `out` of each; `in` and `in2` may be null.
  template <class Run>
  void step(Name name, const Call& call, const Tensor* in, const Tensor* in2, Tensor out,
            const Run& run) noexcept;
  /// Calls what may throw; keeps the first exception.
  template <class Act>
  void guarded(const Act& act) noexcept;
  template <class Run>
  void products_step(std::span<const Product> products, Tensor in, const Routing* routing,
                     const Run& run) noexcept;

  Ops &first_, &second_;
  LockstepSink sink_;
  std::exception_ptr failure_;
  std::list<Pair> pairs_;
  std::vector<Product> products_;
  std::vector<KvCache*> caches_;
};

}  // namespace assay
