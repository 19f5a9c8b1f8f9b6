#include "ops/trace_ops.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace assay {
namespace {

std::string full_name(Name name) {
  std::string text = name.base;
  if (name.layer >= 0) text.append("-").append(std::to_string(name.layer));
  return text;
}

const char* kind_of(const Linear& linear, const char* product) {
  if (!linear.bias.empty()) return "ADD";
  return linear.scale.empty() ? product : "MUL";
}

/// The scores of every query row against every key position, and what soft-max makes of them.
struct Scores {
  TraceRecord kq, soft_max;
};

Scores scores(Ops& ops, Name name, size_t layer, Tensor q, const Batch& batch, const AttentionParams& p) {
  const size_t n_rows = q.n_rows;
  const size_t n_keys = size_t(*std::max_element(batch.positions.begin(), batch.positions.end())) + 1;
  std::vector<double> queries(n_rows * q.n_cols), key(p.head_dim);
  ops.read(q, queries.data());
  Scores s;
  for (TraceRecord* r : {&s.kq, &s.soft_max}) {
    r->shape = {p.n_heads, n_rows, n_keys};
    r->values.resize(p.n_heads * n_rows * n_keys);
  }
  s.kq.name = full_name({"kq", name.layer}), s.kq.op = "MUL_MAT";
  s.soft_max.name = full_name({"kq_soft_max", name.layer}), s.soft_max.op = "SOFT_MAX";

  for (size_t head = 0; head < p.n_heads; ++head)
    for (size_t i = 0; i < n_rows; ++i) {
      const KvCache& cache = *batch.caches[i];
      const double* query = queries.data() + i * q.n_cols + head * p.head_dim;
      double* kq = s.kq.values.data() + (head * n_rows + i) * n_keys;
      for (size_t j = 0; j < std::min(n_keys, cache.shape().n_ctx); ++j) {
        cache.read_key(layer, head / (p.n_heads / p.n_kv_heads), j, key.data());
        kq[j] = std::inner_product(query, query + p.head_dim, key.begin(), 0.0);
      }
      const size_t end = size_t(batch.positions[i]) + 1;
      const size_t begin = p.window != 0 && end > p.window ? end - p.window : 0;
      double* weight = s.soft_max.values.data() + (head * n_rows + i) * n_keys;
      double top = -INFINITY, total = 0;
      for (size_t j = begin; j < end; ++j) {
        weight[j] = kq[j] * p.scale;
        if (p.soft_cap != 0) weight[j] = p.soft_cap * std::tanh(weight[j] / p.soft_cap);
        top = std::max(top, weight[j]);
      }
      for (size_t j = begin; j < end; ++j) total += weight[j] = std::exp(weight[j] - top);
      for (size_t j = begin; j < end; ++j) weight[j] /= total;
    }
  return s;
}

}  // namespace

template <class Make>
void TraceOps::record(const Make& make) noexcept {
  if (failure_) return;
  try {
    sink_(make());
  } catch (...) {
    failure_ = std::current_exception();
  }
}

void TraceOps::record(Name name, const char* op, Tensor x, std::vector<size_t> inner_shape) noexcept {
  record([&] {
    TraceRecord r{full_name(name), op, {}, {}, x};
    r.shape.push_back(
        x.n_rows * x.n_cols /
        std::accumulate(inner_shape.begin(), inner_shape.end(), size_t(1), std::multiplies<>()));
    r.shape.insert(r.shape.end(), inner_shape.begin(), inner_shape.end());
    r.values.resize(x.n_rows * x.n_cols);
    inner().read(x, r.values.data());
    return r;
  });
}

void TraceOps::embed(Name name, Tensor out, const Weight& table, std::span<const int32_t> ids) noexcept {
  inner().embed(name, out, table, ids);
  record(name, "GET_ROWS", out, {out.n_cols});
}

void TraceOps::norm(Name name, Tensor out, Tensor in, const Norm& norm) noexcept {
  inner().norm(name, out, in, norm);
  const char* op = !norm.bias.empty() ? "ADD" : "MUL";
  if (norm.group == out.n_cols)
    record(name, op, out, {out.n_cols});
  else
    record(name, op, out, {out.n_cols / norm.group, norm.group});
}

void TraceOps::linear(std::span<const Product> products, Tensor in) noexcept {
  inner().linear(products, in);
  for (const Product& p : products) record(p.name, kind_of(*p.linear, "MUL_MAT"), p.out, {p.out.n_cols});
}

void TraceOps::rope(Name name, Tensor x, size_t head_dim, const Rope& rope, const Batch& batch) noexcept {
  inner().rope(name, x, head_dim, rope, batch);
  record(name, "ROPE", x, {x.n_cols / head_dim, head_dim});
}

void TraceOps::store_kv(size_t layer, Tensor k, Tensor v, const Batch& batch) noexcept {
  inner().store_kv(layer, k, v, batch);
}

void TraceOps::attention(Name name, size_t layer, Tensor out, Tensor q, const Batch& batch,
                         const AttentionParams& params) noexcept {
  inner().attention(name, layer, out, q, batch, params);
  Scores s;
  record([&] {
    s = scores(inner(), name, layer, q, batch, params);
    return std::move(s.kq);
  });
  record([&] { return std::move(s.soft_max); });
  record(name, "CONT", out, {out.n_cols});
}

void TraceOps::activate(Name name, Tensor x, Activation f) noexcept {
  inner().activate(name, x, f);
  record(name, "UNARY", x, {x.n_cols});
}
void TraceOps::activate_mul(Name name, Tensor gate, Tensor up, Activation f) noexcept {
  inner().activate_mul(name, gate, up, f);
  record(name, "GLU", gate, {gate.n_cols});
}
void TraceOps::add(Name name, Tensor x, Tensor y) noexcept {
  inner().add(name, x, y);
  record(name, "ADD", x, {x.n_cols});
}
void TraceOps::scale(Name name, Tensor x, double factor) noexcept {
  inner().scale(name, x, factor);
  record(name, "SCALE", x, {x.n_cols});
}
void TraceOps::soft_cap(Name name, Tensor x, double cap) noexcept {
  inner().soft_cap(name, x, cap);
  record(name, "SCALE", x, {x.n_cols});
}

void TraceOps::route(Name name, Routing& routing, Tensor logits, const RouteParams& params) noexcept {
  inner().route(name, routing, logits, params);
  record([&] {
    return TraceRecord{full_name(name),
                       "ARGSORT",
                       {logits.n_rows, routing.n_used},
                       {routing.experts.begin(), routing.experts.end()},
                       {}};
  });
  const char* weights = params.scale != 1  ? "ffn_moe_weights_scaled"
                        : params.normalize ? "ffn_moe_weights_norm"
                                           : "ffn_moe_weights";
  const char* op = params.scale != 1 ? "SCALE" : params.normalize ? "DIV" : "GET_ROWS";
  record([&] {
    return TraceRecord{
        full_name({weights, name.layer}), op, {logits.n_rows, routing.n_used}, routing.weights, {}};
  });
}

void TraceOps::expert_linear(std::span<const Product> products, Tensor in, const Routing& routing) noexcept {
  inner().expert_linear(products, in, routing);
  for (const Product& p : products)
    record(p.name, kind_of(*p.linear, "MUL_MAT_ID"), p.out, {routing.n_used, p.out.n_cols});
}

void TraceOps::expert_sum(Name name, Tensor out, Tensor slots, const Routing& routing) noexcept {
  inner().expert_sum(name, out, slots, routing);
  record(name, "ADD", out, {out.n_cols});
}

}  // namespace assay
