// The base of decorators: hands every operation on to another evaluator.
#pragma once
#include "ops/ops.h"

namespace assay {

/// A decorator overrides what it is about and calls inner(). Changes no result by itself.
class ForwardOps : public Ops {
 public:
  /// `inner` outlives this object.
  explicit ForwardOps(Ops& inner) : inner_(inner) {}

  std::string_view name() const noexcept override { return inner_.name(); }
  void load(std::span<const Weight* const> weights, const Progress& progress) override {
    inner_.load(weights, progress);
  }
  Tensor allocate(size_t n_rows, size_t n_cols) override { return inner_.allocate(n_rows, n_cols); }
  std::unique_ptr<KvCache> make_kv_cache(const KvShape& shape) override {
    return inner_.make_kv_cache(shape);
  }
  void read(Tensor from, double* to) override { inner_.read(from, to); }
  void read(Tensor from, float* to) override { inner_.read(from, to); }
  void write(Tensor to, const double* from) override { inner_.write(to, from); }

  void embed(Name name, Tensor out, const Weight& table, std::span<const int32_t> ids) noexcept override {
    inner_.embed(name, out, table, ids);
  }
  void norm(Name name, Tensor out, Tensor in, const Norm& norm) noexcept override {
    inner_.norm(name, out, in, norm);
  }
  void linear(std::span<const Product> products, Tensor in) noexcept override { inner_.linear(products, in); }
  void rope(Name name, Tensor x, size_t head_dim, const Rope& rope, const Batch& batch) noexcept override {
    inner_.rope(name, x, head_dim, rope, batch);
  }
  void store_kv(size_t layer, Tensor k, Tensor v, const Batch& batch) noexcept override {
    inner_.store_kv(layer, k, v, batch);
  }
  void attention(Name name, size_t layer, Tensor out, Tensor q, const Batch& batch,
                 const AttentionParams& params) noexcept override {
    inner_.attention(name, layer, out, q, batch, params);
  }
  void activate(Name name, Tensor x, Activation f) noexcept override { inner_.activate(name, x, f); }
  void activate_mul(Name name, Tensor gate, Tensor up, Activation f) noexcept override {
    inner_.activate_mul(name, gate, up, f);
  }
  void add(Name name, Tensor x, Tensor y) noexcept override { inner_.add(name, x, y); }
  void scale(Name name, Tensor x, double factor) noexcept override { inner_.scale(name, x, factor); }
  void soft_cap(Name name, Tensor x, double cap) noexcept override { inner_.soft_cap(name, x, cap); }
  void route(Name name, Routing& routing, Tensor logits, const RouteParams& params) noexcept override {
    inner_.route(name, routing, logits, params);
  }
  void expert_linear(std::span<const Product> products, Tensor in, const Routing& routing) noexcept override {
    inner_.expert_linear(products, in, routing);
  }
  void expert_sum(Name name, Tensor out, Tensor slots, const Routing& routing) noexcept override {
    inner_.expert_sum(name, out, slots, routing);
  }

 protected:
  Ops& inner() const { return inner_; }

 private:
  Ops& inner_;
};

}  // namespace assay
