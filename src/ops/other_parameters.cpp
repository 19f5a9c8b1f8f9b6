#include "ops/other_parameters.h"

#include <algorithm>

namespace assay {
namespace {

class NoKv final : public KvCache {
 public:
  using KvCache::KvCache;
  void read_key(size_t, size_t, size_t, double* out) const override { std::fill_n(out, shape().head_dim, 0); }
  void read_value(size_t, size_t, size_t, double* out) const override {
    std::fill_n(out, shape().head_dim, 0);
  }
};

std::string label(const CallParameters& call) {
  std::string text(call.op);
  text.append(" ").append(call.name.base);
  if (call.name.layer >= 0) text.append("-").append(std::to_string(call.name.layer));
  return text;
}
std::string shape_of(const Weight& w) {
  return std::to_string(w.n_rows) + " x " + std::to_string(w.n_cols) +
         (w.n_experts > 1 ? " x " + std::to_string(w.n_experts) + " experts" : "");
}

}  // namespace

std::unique_ptr<KvCache> RecordParameters::make_kv_cache(const KvShape& shape) {
  return std::make_unique<NoKv>(shape);
}
CallParameters& RecordParameters::add_call(std::string_view op, Name name) {
  CallParameters& call = calls_.emplace_back();
  call.op = op;
  call.name = name;
  return call;
}
void RecordParameters::embed(Name name, Tensor, const Weight& table, std::span<const int32_t>) noexcept {
  add_call("embed", name).table = &table;
}
void RecordParameters::norm(Name name, Tensor, Tensor, const Norm& norm) noexcept {
  add_call("norm", name).norm = &norm;
}
void RecordParameters::linear(std::span<const Product> products, Tensor) noexcept {
  CallParameters& call = add_call("linear", products[0].name);
  for (const Product& p : products) call.linears.push_back(p.linear);
}
void RecordParameters::rope(Name name, Tensor, size_t head_dim, const Rope& rope, const Batch&) noexcept {
  CallParameters& call = add_call("rope", name);
  call.rope = rope;
  call.head_dim = head_dim;
}
void RecordParameters::attention(Name name, size_t, Tensor, Tensor, const Batch&,
                                 const AttentionParams& params) noexcept {
  add_call("attention", name).attention = params;
}
void RecordParameters::activate(Name name, Tensor, Activation f) noexcept {
  add_call("activate", name).activation = f;
}
void RecordParameters::activate_mul(Name name, Tensor, Tensor, Activation f) noexcept {
  add_call("activate_mul", name).activation = f;
}
void RecordParameters::add(Name name, Tensor, Tensor) noexcept {
  add_call("add", name);
}
void RecordParameters::scale(Name name, Tensor, double factor) noexcept {
  add_call("scale", name).number = factor;
}
void RecordParameters::soft_cap(Name name, Tensor, double cap) noexcept {
  add_call("soft_cap", name).number = cap;
}
void RecordParameters::route(Name name, Routing&, Tensor, const RouteParams& params) noexcept {
  add_call("route", name).route = params;
}
void RecordParameters::expert_linear(std::span<const Product> products, Tensor, const Routing&) noexcept {
  CallParameters& call = add_call("expert_linear", products[0].name);
  for (const Product& p : products) call.linears.push_back(p.linear);
}
void RecordParameters::expert_sum(Name name, Tensor, Tensor, const Routing&) noexcept {
  add_call("expert_sum", name);
}

std::span<const Product> OtherParametersOps::replaced(std::span<const Product> products,
                                                      const CallParameters& call) {
  products_.assign(products.begin(), products.end());
  for (size_t i = 0; i < products_.size(); ++i) products_[i].linear = call.linears[i];
  return products_;
}
void OtherParametersOps::embed(Name name, Tensor out, const Weight&, std::span<const int32_t> ids) noexcept {
  inner().embed(name, out, *next().table, ids);
}
void OtherParametersOps::norm(Name name, Tensor out, Tensor in, const Norm&) noexcept {
  inner().norm(name, out, in, *next().norm);
}
void OtherParametersOps::linear(std::span<const Product> products, Tensor in) noexcept {
  inner().linear(replaced(products, next()), in);
}
void OtherParametersOps::rope(Name name, Tensor x, size_t, const Rope&, const Batch& batch) noexcept {
  const CallParameters& call = next();
  inner().rope(name, x, call.head_dim, call.rope, batch);
}
void OtherParametersOps::attention(Name name, size_t layer, Tensor out, Tensor q, const Batch& batch,
                                   const AttentionParams&) noexcept {
  inner().attention(name, layer, out, q, batch, next().attention);
}
void OtherParametersOps::activate(Name name, Tensor x, Activation) noexcept {
  inner().activate(name, x, next().activation);
}
void OtherParametersOps::activate_mul(Name name, Tensor gate, Tensor up, Activation) noexcept {
  inner().activate_mul(name, gate, up, next().activation);
}
void OtherParametersOps::add(Name name, Tensor x, Tensor y) noexcept {
  next();
  inner().add(name, x, y);
}
void OtherParametersOps::scale(Name name, Tensor x, double) noexcept {
  inner().scale(name, x, next().number);
}
void OtherParametersOps::soft_cap(Name name, Tensor x, double) noexcept {
  inner().soft_cap(name, x, next().number);
}
void OtherParametersOps::route(Name name, Routing& routing, Tensor logits, const RouteParams&) noexcept {
  inner().route(name, routing, logits, next().route);
}
void OtherParametersOps::expert_linear(std::span<const Product> products, Tensor in,
                                       const Routing& routing) noexcept {
  inner().expert_linear(replaced(products, next()), in, routing);
}
void OtherParametersOps::expert_sum(Name name, Tensor out, Tensor slots, const Routing& routing) noexcept {
  next();
  inner().expert_sum(name, out, slots, routing);
}

std::string first_difference(std::span<const CallParameters> a, std::span<const CallParameters> b) {
  const auto weights = [](const CallParameters& call) {
    std::vector<const Weight*> list;
    if (call.table) list.push_back(call.table);
    for (const Linear* linear : call.linears) list.push_back(linear->weight);
    return list;
  };
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (label(a[i]) != label(b[i]))
      return "operation " + std::to_string(i) + ": " + label(a[i]) + " against " + label(b[i]);
    const auto wa = weights(a[i]), wb = weights(b[i]);
    if (wa.size() != wb.size()) return label(a[i]) + ": another number of products";
    for (size_t k = 0; k < wa.size(); ++k)
      if (shape_of(*wa[k]) != shape_of(*wb[k]))
        return label(a[i]) + ": " + wa[k]->name + " is " + shape_of(*wa[k]) + " against " + shape_of(*wb[k]);
    if (a[i].norm && a[i].norm->group != b[i].norm->group) return label(a[i]) + ": norms of other lengths";
    if (a[i].head_dim != b[i].head_dim || a[i].attention.n_heads != b[i].attention.n_heads ||
        a[i].attention.n_kv_heads != b[i].attention.n_kv_heads)
      return label(a[i]) + ": other heads";
    if (a[i].route.n_used != b[i].route.n_used) return label(a[i]) + ": another number of experts";
  }
  return a.size() == b.size()
             ? ""
             : "one has " + std::to_string(a.size()) + " operations, the other " + std::to_string(b.size());
}

}  // namespace assay
