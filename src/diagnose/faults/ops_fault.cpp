#include "diagnose/faults/ops_fault.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace assay::ops_fault {
namespace {

struct RopeChange final : ForwardOps {
  std::function<void(Rope&, Name, size_t)> change;
  RopeChange(Ops& inner, decltype(change) f) : ForwardOps(inner), change(std::move(f)) {}
  void rope(Name name, Tensor x, size_t head_dim, const Rope& healthy, const Batch& batch) noexcept override {
    Rope rope = healthy;
    change(rope, name, head_dim);
    inner().rope(name, x, head_dim, rope, batch);
  }
};

struct PositionChange final : ForwardOps {
  std::function<int32_t(int32_t, bool)> change;
  PositionChange(Ops& inner, decltype(change) f) : ForwardOps(inner), change(std::move(f)) {}
  void rope(Name name, Tensor x, size_t head_dim, const Rope& rope, const Batch& batch) noexcept override {
    std::vector<int32_t> positions(batch.positions.begin(), batch.positions.end());
    for (int32_t& p : positions) p = change(p, is(name, "Kcur"));
    inner().rope(name, x, head_dim, rope, {batch.ids, positions, batch.caches});
  }
};

struct TurnChange final : ForwardOps {
  Turn (*turn)(double);
  TurnChange(Ops& inner, decltype(turn) f) : ForwardOps(inner), turn(f) {}
  void rope(Name, Tensor x, size_t head_dim, const Rope& rope, const Batch& batch) noexcept override {
    const size_t n_pairs = rope.frequencies.size();
    const bool adjacent = rope.pairs == Rope::Pairs::adjacent;
    Values values(inner(), x);
    for (size_t i = 0; i < x.n_rows; ++i)
      for (size_t j = 0; j < n_pairs; ++j) {
        const Turn t = turn(batch.positions[i] * rope.frequencies[j]);
        for (size_t begin = 0; begin < x.n_cols; begin += head_dim) {
          double& a = values.row(i)[begin + (adjacent ? 2 * j : j)];
          double& b = values.row(i)[begin + (adjacent ? 2 * j + 1 : j + n_pairs)];
          const double a0 = a * rope.magnitude, b0 = b * rope.magnitude;
          a = a0 * t.cosine - b0 * t.sine;
          b = a0 * t.sine + b0 * t.cosine;
        }
      }
    inner().write(x, values.numbers.data());
  }
};

struct NormChange final : ForwardOps {
  std::function<void(Norm&, Name)> change;
  NormChange(Ops& inner, decltype(change) f) : ForwardOps(inner), change(std::move(f)) {}
  void norm(Name name, Tensor out, Tensor in, const Norm& healthy) noexcept override {
    Norm norm = healthy;
    change(norm, name);
    inner().norm(name, out, in, norm);
  }
};

struct AttentionChange final : ForwardOps {
  std::function<void(AttentionParams&, size_t)> change;
  AttentionChange(Ops& inner, decltype(change) f) : ForwardOps(inner), change(std::move(f)) {}
  void attention(Name name, size_t layer, Tensor out, Tensor q, const Batch& batch,
                 const AttentionParams& healthy) noexcept override {
    AttentionParams params = healthy;
    change(params, layer);
    inner().attention(name, layer, out, q, batch, params);
  }
};

struct LinearChange final : ForwardOps {
  std::function<void(Linear&, Name)> change;
  std::unordered_map<const Linear*, std::unique_ptr<Linear>> changed;
  LinearChange(Ops& inner, decltype(change) f) : ForwardOps(inner), change(std::move(f)) {}

  std::vector<Product> with_changes(std::span<const Product> products) {
    std::vector<Product> list(products.begin(), products.end());
    for (Product& p : list) {
      std::unique_ptr<Linear>& copy = changed[p.linear];
      if (!copy) change(*(copy = std::make_unique<Linear>(*p.linear)), p.name);
      p.linear = copy.get();
    }
    return list;
  }
  void linear(std::span<const Product> products, Tensor in) noexcept override {
    inner().linear(with_changes(products), in);
  }
  void expert_linear(std::span<const Product> products, Tensor in, const Routing& routing) noexcept override {
    inner().expert_linear(with_changes(products), in, routing);
  }
};

struct ActivationChange final : ForwardOps {
  double (*f)(double, double);
  ActivationChange(Ops& inner, decltype(f) function) : ForwardOps(inner), f(function) {}
  void activate(Name, Tensor x, Activation) noexcept override {
    Values values(inner(), x);
    for (double& v : values.numbers) v = f(v, 1);
    inner().write(x, values.numbers.data());
  }
  void activate_mul(Name, Tensor gate, Tensor up, Activation) noexcept override {
    Values g(inner(), gate);
    const Values u(inner(), up);
    for (size_t i = 0; i < g.numbers.size(); ++i) g.numbers[i] = f(g.numbers[i], u.numbers[i]);
    inner().write(gate, g.numbers.data());
  }
};

struct ResultChange final : ForwardOps {
  bool (*concerns)(Name);
  std::function<void(Name, Values&)> change;
  ResultChange(Ops& inner, decltype(concerns) c, decltype(change) f)
      : ForwardOps(inner), concerns(c), change(std::move(f)) {}

  void after(Name name, Tensor x) {
    if (!concerns(name)) return;
    Values values(inner(), x);
    change(name, values);
    inner().write(x, values.numbers.data());
  }
  void embed(Name name, Tensor out, const Weight& table, std::span<const int32_t> ids) noexcept override {
    inner().embed(name, out, table, ids);
    after(name, out);
  }
  void norm(Name name, Tensor out, Tensor in, const Norm& norm) noexcept override {
    inner().norm(name, out, in, norm);
    after(name, out);
  }
  void linear(std::span<const Product> products, Tensor in) noexcept override {
    inner().linear(products, in);
    for (const Product& p : products) after(p.name, p.out);
  }
  void attention(Name name, size_t layer, Tensor out, Tensor q, const Batch& batch,
                 const AttentionParams& params) noexcept override {
    inner().attention(name, layer, out, q, batch, params);
    after(name, out);
  }
  void activate(Name name, Tensor x, Activation f) noexcept override {
    inner().activate(name, x, f);
    after(name, x);
  }
  void activate_mul(Name name, Tensor gate, Tensor up, Activation f) noexcept override {
    inner().activate_mul(name, gate, up, f);
    after(name, gate);
  }
  void add(Name name, Tensor x, Tensor y) noexcept override {
    inner().add(name, x, y);
    after(name, x);
  }
  void scale(Name name, Tensor x, double factor) noexcept override {
    inner().scale(name, x, factor);
    after(name, x);
  }
  void expert_linear(std::span<const Product> products, Tensor in, const Routing& routing) noexcept override {
    inner().expert_linear(products, in, routing);
    for (const Product& p : products) after(p.name, p.out);
  }
  void expert_sum(Name name, Tensor out, Tensor slots, const Routing& routing) noexcept override {
    inner().expert_sum(name, out, slots, routing);
    after(name, out);
  }
};

struct InputChange final : ForwardOps {
  std::function<void(Name, Values&)> change;
  InputChange(Ops& inner, decltype(change) f) : ForwardOps(inner), change(std::move(f)) {}

  template <class Run>
  void with_change(Name name, Tensor in, const Run& run) {
    const Values healthy(inner(), in);
    Values values = healthy;
    change(name, values);
    inner().write(in, values.numbers.data());
    run();
    inner().write(in, healthy.numbers.data());
  }
  void linear(std::span<const Product> products, Tensor in) noexcept override {
    with_change(products[0].name, in, [&] { inner().linear(products, in); });
  }
  void expert_linear(std::span<const Product> products, Tensor in, const Routing& routing) noexcept override {
    with_change(products[0].name, in, [&] { inner().expert_linear(products, in, routing); });
  }
};

struct StoreChange final : ForwardOps {
  std::function<void(Values&, Values&, size_t)> change;
  StoreChange(Ops& inner, decltype(change) f) : ForwardOps(inner), change(std::move(f)) {}
  void store_kv(size_t layer, Tensor k, Tensor v, const Batch& batch) noexcept override {
    const Values healthy_k(inner(), k), healthy_v(inner(), v);
    Values faulty_k = healthy_k, faulty_v = healthy_v;
    change(faulty_k, faulty_v, batch.caches[0]->shape().head_dim);
    inner().write(k, faulty_k.numbers.data());
    inner().write(v, faulty_v.numbers.data());
    inner().store_kv(layer, k, v, batch);
    inner().write(k, healthy_k.numbers.data());
    inner().write(v, healthy_v.numbers.data());
  }
};

struct RouteChange final : ForwardOps {
  std::function<void(Routing&, const RouteParams&, Values&)> change;
  RouteChange(Ops& inner, decltype(change) f) : ForwardOps(inner), change(std::move(f)) {}
  void route(Name name, Routing& routing, Tensor logits, const RouteParams& params) noexcept override {
    inner().route(name, routing, logits, params);
    Values values(inner(), logits);
    change(routing, params, values);
  }
};

struct RouteParamsChange final : ForwardOps {
  std::function<void(RouteParams&)> change;
  RouteParamsChange(Ops& inner, decltype(change) f) : ForwardOps(inner), change(std::move(f)) {}
  void route(Name name, Routing& routing, Tensor logits, const RouteParams& healthy) noexcept override {
    RouteParams params = healthy;
    change(params);
    inner().route(name, routing, logits, params);
  }
};

struct SkippedAdditions final : ForwardOps {
  std::function<bool(Name)> leaves_out;
  SkippedAdditions(Ops& inner, decltype(leaves_out) f) : ForwardOps(inner), leaves_out(std::move(f)) {}
  void add(Name name, Tensor x, Tensor y) noexcept override {
    if (!leaves_out(name)) inner().add(name, x, y);
  }
};

struct RuledAttention final : ForwardOps {
  AttentionRules rules;
  RuledAttention(Ops& inner, AttentionRules r) : ForwardOps(inner), rules(std::move(r)) {}

  void attention(Name, size_t layer, Tensor out, Tensor q, const Batch& batch,
                 const AttentionParams& p) noexcept override {
    const size_t n_keys = size_t(*std::max_element(batch.positions.begin(), batch.positions.end())) + 1;
    Values queries(inner(), q);
    Values result = queries;
    std::vector<double> keys(n_keys * p.head_dim), values(keys.size()), weights(n_keys);
    for (size_t head = 0; head < p.n_heads; ++head) {
      const size_t kv_head = rules.kv_head ? rules.kv_head(head, p) : head / (p.n_heads / p.n_kv_heads);
      const KvCache* loaded = nullptr;
      for (size_t i = 0; i < q.n_rows; ++i) {
        const KvCache& cache = *batch.caches[i];
        if (&cache != loaded)
          for (size_t j = 0; j < std::min(n_keys, cache.shape().n_ctx); ++j) {
            cache.read_key(layer, kv_head, j, keys.data() + j * p.head_dim);
            cache.read_value(layer, kv_head, j, values.data() + j * p.head_dim);
          }
        loaded = &cache;
        attend(queries.row(i).subspan(head * p.head_dim, p.head_dim), keys, values,
               size_t(batch.positions[i]), head, p, weights,
               result.row(i).subspan(head * p.head_dim, p.head_dim));
      }
    }
    inner().write(out, result.numbers.data());
  }

  void attend(std::span<const double> query, std::span<const double> keys, std::span<const double> values,
              size_t position, size_t head, const AttentionParams& p, std::span<double> weights,
              std::span<double> result) const {
    double top = rules.sink;
    for (size_t j = 0; j < weights.size(); ++j) {
      const bool in_window = p.window == 0 || j + p.window > position;
      weights[j] = -HUGE_VAL;
      if (!in_window || !(rules.sees ? rules.sees(position, j) : j <= position)) continue;
      double score = 0;
      for (size_t c = 0; c < p.head_dim; ++c) score += query[c] * keys[j * p.head_dim + c];
      score *= p.scale;
      if (p.soft_cap != 0) score = p.soft_cap * std::tanh(score / p.soft_cap);
      if (rules.score) score = rules.score(score, double(position) - double(j), head, p);
      top = std::max(top, weights[j] = score);
    }
    double total = std::exp(rules.sink - top);
    for (double& w : weights) total += w = std::exp(w - top);
    std::fill(result.begin(), result.end(), 0.0);
    for (size_t j = 0; j < weights.size(); ++j) {
      double w = rules.divide ? weights[j] / total : weights[j];
      if (w == 0) continue;
      if (rules.weight) w = rules.weight(w);
      for (size_t c = 0; c < p.head_dim; ++c) result[c] += w * values[j * p.head_dim + c];
    }
  }
};

template <class Decorator, class... Args>
Wrapped make(Ops& inner, bool touches, Args&&... args) {
  return touches ? std::make_unique<Decorator>(inner, std::forward<Args>(args)...) : nullptr;
}

}  // namespace

Wrapped change_rope(Ops& inner, bool touches, std::function<void(Rope&, Name, size_t)> change) {
  return make<RopeChange>(inner, touches, std::move(change));
}
Wrapped change_norm(Ops& inner, bool touches, std::function<void(Norm&, Name)> change) {
  return make<NormChange>(inner, touches, std::move(change));
}
Wrapped change_attention(Ops& inner, bool touches, std::function<void(AttentionParams&, size_t)> change) {
  return make<AttentionChange>(inner, touches, std::move(change));
}
Wrapped change_linear(Ops& inner, bool touches, std::function<void(Linear&, Name)> change) {
  return make<LinearChange>(inner, touches, std::move(change));
}
Wrapped change_activation(Ops& inner, bool touches, double (*f)(double, double)) {
  return make<ActivationChange>(inner, touches, f);
}
Wrapped change_positions(Ops& inner, bool touches, std::function<int32_t(int32_t, bool)> change) {
  return make<PositionChange>(inner, touches, std::move(change));
}
Wrapped change_turns(Ops& inner, bool touches, Turn (*turn)(double)) {
  return make<TurnChange>(inner, touches, turn);
}
Wrapped change_results(Ops& inner, bool (*concerns)(Name), std::function<void(Name, Values&)> change,
                       bool touches) {
  return make<ResultChange>(inner, touches, concerns, std::move(change));
}
Wrapped change_inputs(Ops& inner, std::function<void(Name, Values&)> change) {
  return make<InputChange>(inner, true, std::move(change));
}
Wrapped change_stored(Ops& inner, bool touches, std::function<void(Values&, Values&, size_t)> change) {
  return make<StoreChange>(inner, touches, std::move(change));
}
Wrapped change_routing(Ops& inner, bool touches,
                       std::function<void(Routing&, const RouteParams&, Values&)> change) {
  return make<RouteChange>(inner, touches, std::move(change));
}
Wrapped change_route_params(Ops& inner, bool touches, std::function<void(RouteParams&)> change) {
  return make<RouteParamsChange>(inner, touches, std::move(change));
}
Wrapped skip_additions(Ops& inner, std::function<bool(Name)> leaves_out) {
  return make<SkippedAdditions>(inner, true, std::move(leaves_out));
}
Wrapped change_rules(Ops& inner, bool touches, AttentionRules rules) {
  return make<RuledAttention>(inner, touches, std::move(rules));
}

bool any_layer(const Model& model, bool (*has)(const Layer&)) {
  return std::any_of(model.layers().begin(), model.layers().end(), has);
}
bool rotates(const Model& model) {
  return !model.hparams().rope.frequencies.empty();
}
bool is_grouped(const Model& model) {
  return model.hparams().n_kv_heads > 1 && model.hparams().n_kv_heads < model.hparams().n_heads;
}
bool has_rms(const Model& model) {
  return model.hparams().norm_kind == Norm::Kind::rms;
}
bool has_layer_norm(const Model& model) {
  return model.hparams().norm_kind == Norm::Kind::layer;
}
bool has_gate(const Model& model) {
  const std::string& arch = model.hparams().arch;
  return any_layer(model, [](const Layer& w) { return w.ffn_gate || w.ffn_gate_exps; }) || arch == "phi3";
}
bool has_experts(const Model& model) {
  return model.hparams().n_experts != 0;
}
bool has_windows(const Model& model) {
  return model.hparams().local.window != 0;
}
double rope_base(const Model& model) {
  return model.file().metadata().find_float(model.hparams().arch + ".rope.freq_base").value_or(10000);
}
std::vector<double> plain_frequencies(double base, size_t n_pairs) {
  std::vector<double> frequencies(n_pairs);
  for (size_t j = 0; j < n_pairs; ++j) frequencies[j] = std::pow(base, -double(j) / double(n_pairs));
  return frequencies;
}

}  // namespace assay::ops_fault
