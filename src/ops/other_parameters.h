// One model's operations with another model's parameters: two files, one operation at a time.
#pragma once
#include <vector>

#include "ops/forward_ops.h"

namespace assay {

/// What one call of the op set was given beside activations. Pointers are into the model that ran.
struct CallParameters {
  std::string_view op;
  Name name{""};
  const Weight* table = nullptr;
  const Norm* norm = nullptr;
  std::vector<const Linear*> linears;
  Rope rope;
  size_t head_dim = 0;
  AttentionParams attention;
  RouteParams route;
  double number = 0;  // scale's factor, soft_cap's cap
  Activation activation = Activation::silu;
};

/// An evaluator that computes nothing and writes down what it is asked for. Reads give nothing, its tensors
/// have no memory.
class RecordParameters final : public Ops {
 public:
  const std::vector<CallParameters>& calls() const { return calls_; }

  std::string_view name() const noexcept override { return "record"; }
  void load(std::span<const Weight* const>, const Progress&) override {}
  Tensor allocate(size_t n_rows, size_t n_cols) override { return {nullptr, 0, n_rows, n_cols, n_cols}; }
  std::unique_ptr<KvCache> make_kv_cache(const KvShape& shape) override;
  void read(Tensor, double*) override {}
  void read(Tensor, float*) override {}
  void write(Tensor, const double*) override {}

  void embed(Name name, Tensor out, const Weight& table, std::span<const int32_t> ids) noexcept override;
  void norm(Name name, Tensor out, Tensor in, const Norm& norm) noexcept override;
  void linear(std::span<const Product> products, Tensor in) noexcept override;
  void rope(Name name, Tensor x, size_t head_dim, const Rope& rope, const Batch& batch) noexcept override;
  void store_kv(size_t, Tensor, Tensor, const Batch&) noexcept override {}
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
  CallParameters& add_call(std::string_view op, Name name);
  std::vector<CallParameters> calls_;
};

/// Runs `inner` with recorded parameters in place of those it is given, call by call in the recorded order,
/// which must be the order of the calls: see same_calls(). Both outlive this object.
class OtherParametersOps final : public ForwardOps {
 public:
  OtherParametersOps(Ops& inner, std::span<const CallParameters> calls) : ForwardOps(inner), calls_(calls) {}

  void embed(Name name, Tensor out, const Weight& table, std::span<const int32_t> ids) noexcept override;
  void norm(Name name, Tensor out, Tensor in, const Norm& norm) noexcept override;
  void linear(std::span<const Product> products, Tensor in) noexcept override;
  void rope(Name name, Tensor x, size_t head_dim, const Rope& rope, const Batch& batch) noexcept override;
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
  const CallParameters& next() { return calls_[next_++]; }
  std::span<const Product> replaced(std::span<const Product> products, const CallParameters& call);
  std::span<const CallParameters> calls_;
  size_t next_ = 0;
  std::vector<Product> products_;
};

/// Whether two models ask for the same operations on tensors of the same shapes. The first difference in
/// words, or empty.
std::string first_difference(std::span<const CallParameters> a, std::span<const CallParameters> b);

}  // namespace assay
