#include "ops/lockstep_ops.h"

#include <array>

namespace assay {
namespace {

class LockstepKv final : public KvCache {
 public:
  LockstepKv(const KvShape& shape, std::unique_ptr<KvCache> first, std::unique_ptr<KvCache> second)
      : KvCache(shape), first_(std::move(first)), second_(std::move(second)) {}
  KvCache& first() const { return *first_; }
  KvCache& second() const { return *second_; }
  void read_key(size_t layer, size_t kv_head, size_t position, double* out) const override {
    first_->read_key(layer, kv_head, position, out);
  }
  void read_value(size_t layer, size_t kv_head, size_t position, double* out) const override {
    first_->read_value(layer, kv_head, position, out);
  }

 private:
  std::unique_ptr<KvCache> first_, second_;
};

/// Keys, then values, of a batch's rows.
Values stored(size_t layer, const Batch& batch) {
  const KvShape& s = batch.caches[0]->shape();
  const size_t width = s.n_kv_heads * s.head_dim;
  Values v{batch.size(), 2 * width, std::vector<double>(batch.size() * 2 * width)};
  for (size_t i = 0; i < batch.size(); ++i)
    for (size_t h = 0; h < s.n_kv_heads; ++h) {
      double* const key = v.x.data() + i * v.n_cols + h * s.head_dim;
      batch.caches[i]->read_key(layer, h, size_t(batch.positions[i]), key);
      batch.caches[i]->read_value(layer, h, size_t(batch.positions[i]), key + width);
    }
  return v;
}

Values values_of(const Routing& routing, size_t n_tokens) {
  Values v{n_tokens, 2 * routing.n_used, {}};
  for (size_t i = 0; i < n_tokens; ++i) {
    const size_t begin = i * routing.n_used;
    for (size_t s = 0; s < routing.n_used; ++s) v.x.push_back(routing.experts[begin + s]);
    for (size_t s = 0; s < routing.n_used; ++s) v.x.push_back(routing.weights[begin + s]);
  }
  return v;
}

}  // namespace

std::string_view op_name(const Call& call) noexcept {
  constexpr std::array kNames{"embed",    "norm", "linear", "rope",     "store_kv", "attention",
                              "activate", "add",  "scale",  "soft_cap", "route",    "expert_sum"};
  static_assert(kNames.size() == std::variant_size_v<Call>);
  return kNames[call.index()];
}

void LockstepOps::load(std::span<const Weight* const> weights, const Progress& progress) {
  first_.load(weights, progress);
  second_.load(weights, {});
}

Tensor LockstepOps::allocate(size_t n_rows, size_t n_cols) {
  Pair& pair = pairs_.emplace_back(Pair{first_.allocate(n_rows, n_cols), second_.allocate(n_rows, n_cols)});
  return {&pair, 0, n_rows, n_cols, n_cols};
}

std::unique_ptr<KvCache> LockstepOps::make_kv_cache(const KvShape& shape) {
  return std::make_unique<LockstepKv>(shape, first_.make_kv_cache(shape), second_.make_kv_cache(shape));
}

void LockstepOps::read(Tensor from, double* to) {
  first_.read(view(from, Side::first), to);
}
void LockstepOps::read(Tensor from, float* to) {
  first_.read(view(from, Side::first), to);
}
void LockstepOps::write(Tensor to, const double* from) {
  first_.write(view(to, Side::first), from);
  second_.write(view(to, Side::second), from);
}

Tensor LockstepOps::view(Tensor t, Side side) const {
  const Pair& pair = *static_cast<const Pair*>(t.memory);
  const Tensor& whole = side == Side::first ? pair.first : pair.second;
  const size_t width = whole.n_cols;  // our own views count rows by it
  return {whole.memory, whole.offset + t.offset / width * whole.stride + t.offset % width, t.n_rows, t.n_cols,
          t.stride / width * whole.stride};
}

std::span<const Product> LockstepOps::products_of(std::span<const Product> products, Side side) {
  products_.assign(products.begin(), products.end());
  for (Product& p : products_) p.out = view(p.out, side);
  return products_;
}

Batch LockstepOps::batch_of(const Batch& batch, Side side) {
  caches_.clear();
  for (KvCache* cache : batch.caches) {
    const auto& pair = static_cast<const LockstepKv&>(*cache);
    caches_.push_back(side == Side::first ? &pair.first() : &pair.second());
  }
  return {batch.ids, batch.positions, caches_};
}

Values LockstepOps::values(Tensor t, Side side) {
  Values v{t.n_rows, t.n_cols, std::vector<double>(t.n_rows * t.n_cols)};
  (side == Side::first ? first_ : second_).read(view(t, side), v.x.data());
  return v;
}

Values LockstepOps::share(Tensor t) {
  Values v = values(t, Side::first);
  second_.write(view(t, Side::second), v.x.data());
  return v;
}

template <class Act>
void LockstepOps::guarded(const Act& act) noexcept {
  if (failure_) return;
  try {
    act();
  } catch (...) {
    failure_ = std::current_exception();
  }
}

template <class Run>
void LockstepOps::step(Name name, const Call& call, const Tensor* in, const Tensor* in2, Tensor out,
                       const Run& run) noexcept {
  LockstepStep s{name, call, {}, {}, {}, {}};
  guarded([&] {
    if (in) s.in = share(*in);
    if (in2) s.in2 = share(*in2);
  });
  run(first_, Side::first);
  guarded([&] {
    run(second_, Side::second);
    s.first = values(out, Side::first);
    s.second = values(out, Side::second);
    sink_(s);
  });
}

void LockstepOps::embed(Name name, Tensor out, const Weight& table, std::span<const int32_t> ids) noexcept {
  step(name, EmbedCall{&table, ids}, nullptr, nullptr, out,
       [&](Ops& ops, Side side) { ops.embed(name, view(out, side), table, ids); });
}

void LockstepOps::norm(Name name, Tensor out, Tensor in, const Norm& norm) noexcept {
  step(name, NormCall{&norm}, &in, nullptr, out,
       [&](Ops& ops, Side side) { ops.norm(name, view(out, side), view(in, side), norm); });
}

template <class Run>
void LockstepOps::products_step(std::span<const Product> products, Tensor in, const Routing* routing,
                                const Run& run) noexcept {
  LockstepStep s{};
  guarded([&] { s.in = share(in); });
  run(first_, products_of(products, Side::first), view(in, Side::first));
  guarded([&] {
    run(second_, products_of(products, Side::second), view(in, Side::second));
    for (const Product& p : products) {
      s.name = p.name;
      s.call = LinearCall{p.linear, routing};
      s.first = values(p.out, Side::first);
      s.second = values(p.out, Side::second);
      sink_(s);
    }
  });
}

void LockstepOps::linear(std::span<const Product> products, Tensor in) noexcept {
  products_step(products, in, nullptr,
                [](Ops& ops, std::span<const Product> p, Tensor x) { ops.linear(p, x); });
}

void LockstepOps::rope(Name name, Tensor x, size_t head_dim, const Rope& rope, const Batch& batch) noexcept {
  step(name, RopeCall{head_dim, &rope, batch.positions}, &x, nullptr, x,
       [&](Ops& ops, Side side) { ops.rope(name, view(x, side), head_dim, rope, batch_of(batch, side)); });
}

void LockstepOps::store_kv(size_t layer, Tensor k, Tensor v, const Batch& batch) noexcept {
  LockstepStep s{{"store_kv", int(layer)}, StoreCall{&batch.caches[0]->shape()}, {}, {}, {}, {}};
  guarded([&] { s.in = share(k), s.in2 = share(v); });
  first_.store_kv(layer, view(k, Side::first), view(v, Side::first), batch_of(batch, Side::first));
  guarded([&] {
    s.first = stored(layer, batch_of(batch, Side::first));
    const Batch second = batch_of(batch, Side::second);
    second_.store_kv(layer, view(k, Side::second), view(v, Side::second), second);
    s.second = stored(layer, second);
    sink_(s);
  });
}

void LockstepOps::attention(Name name, size_t layer, Tensor out, Tensor q, const Batch& batch,
                            const AttentionParams& params) noexcept {
  step(name, AttentionCall{layer, batch.positions, batch.caches, &params}, &q, nullptr, out,
       [&](Ops& ops, Side side) {
         ops.attention(name, layer, view(out, side), view(q, side), batch_of(batch, side), params);
       });
}

void LockstepOps::activate(Name name, Tensor x, Activation f) noexcept {
  step(name, ActivateCall{f, false}, &x, nullptr, x,
       [&](Ops& ops, Side side) { ops.activate(name, view(x, side), f); });
}
void LockstepOps::activate_mul(Name name, Tensor gate, Tensor up, Activation f) noexcept {
  step(name, ActivateCall{f, true}, &gate, &up, gate,
       [&](Ops& ops, Side side) { ops.activate_mul(name, view(gate, side), view(up, side), f); });
}
void LockstepOps::add(Name name, Tensor x, Tensor y) noexcept {
  step(name, AddCall{}, &x, &y, x, [&](Ops& ops, Side side) { ops.add(name, view(x, side), view(y, side)); });
}
void LockstepOps::scale(Name name, Tensor x, double factor) noexcept {
  step(name, ScaleCall{factor}, &x, nullptr, x,
       [&](Ops& ops, Side side) { ops.scale(name, view(x, side), factor); });
}
void LockstepOps::soft_cap(Name name, Tensor x, double cap) noexcept {
  step(name, SoftCapCall{cap}, &x, nullptr, x,
       [&](Ops& ops, Side side) { ops.soft_cap(name, view(x, side), cap); });
}

void LockstepOps::route(Name name, Routing& routing, Tensor logits, const RouteParams& params) noexcept {
  LockstepStep s{name, RouteCall{&params}, {}, {}, {}, {}};
  guarded([&] { s.in = share(logits); });
  first_.route(name, routing, view(logits, Side::first), params);
  guarded([&] {
    Routing other;
    second_.route(name, other, view(logits, Side::second), params);
    s.first = values_of(routing, logits.n_rows);
    s.second = values_of(other, logits.n_rows);
    sink_(s);
  });
}

void LockstepOps::expert_linear(std::span<const Product> products, Tensor in,
                                const Routing& routing) noexcept {
  products_step(products, in, &routing,
                [&](Ops& ops, std::span<const Product> p, Tensor x) { ops.expert_linear(p, x, routing); });
}

void LockstepOps::expert_sum(Name name, Tensor out, Tensor slots, const Routing& routing) noexcept {
  step(name, ExpertSumCall{&routing}, &slots, nullptr, out,
       [&](Ops& ops, Side side) { ops.expert_sum(name, view(out, side), view(slots, side), routing); });
}

}  // namespace assay
