#include "twin/ops_twin.h"

#include <algorithm>
#include <cmath>
#include <list>

#include "base/half.h"
#include "ops/route.h"
#include "twin/arithmetic.h"

namespace assay {
namespace {

float* row(Tensor t, size_t i) {
  return static_cast<float*>(t.memory) + t.offset + i * t.stride;
}
std::span<float> values(Tensor t, size_t i) {
  return {row(t, i), t.n_cols};
}

/// Keys and values as f32, (layer, position, kv_head, head_dim), rounded on writing as the cache's type is.
class TwinKv final : public KvCache {
 public:
  explicit TwinKv(const KvShape& s)
      : KvCache(s), keys_(s.n_layers * s.n_ctx * s.n_kv_heads * s.head_dim), values_(keys_.size()) {}
  float* key(size_t layer, size_t position, size_t kv_head) {
    return &keys_[index(layer, position, kv_head)];
  }
  float* value(size_t layer, size_t position, size_t kv_head) {
    return &values_[index(layer, position, kv_head)];
  }
  void read_key(size_t layer, size_t kv_head, size_t position, double* out) const override {
    std::copy_n(&keys_[index(layer, position, kv_head)], shape().head_dim, out);
  }
  void read_value(size_t layer, size_t kv_head, size_t position, double* out) const override {
    std::copy_n(&values_[index(layer, position, kv_head)], shape().head_dim, out);
  }

 private:
  size_t index(size_t layer, size_t position, size_t kv_head) const {
    const KvShape& s = shape();
    return ((layer * s.n_ctx + position) * s.n_kv_heads + kv_head) * s.head_dim;
  }
  std::vector<float> keys_, values_;
};

void store(KvType type, std::span<const float> x, float* stored) {
  switch (type) {
    case KvType::f32:
      std::ranges::copy(x, stored);
      return;
    case KvType::f16:
      std::ranges::transform(x, stored, [](float v) { return half_to_float(float_to_half(v)); });
      return;
    case KvType::q8_0: {
      const twin::RoundedRow rounded = twin::round_q8_0(x);
      for (size_t i = 0; i < x.size(); ++i) stored[i] = rounded.d[i / 32] * float(rounded.q[i]);
    }
  }
}

float apply(Activation f, float x) {
  return f == Activation::silu ? twin::silu(x) : twin::gelu(x);
}

class TwinOps final : public Ops {
 public:
  TwinOps(ThreadPool& pool, bool bf16_dot) : pool_(pool), bf16_dot_(bf16_dot) {}
  std::string_view name() const noexcept override { return bf16_dot_ ? "twin-bf16" : "twin"; }
  void load(std::span<const Weight* const>, const Progress&) override {}
  Tensor allocate(size_t n_rows, size_t n_cols) override {
    return {memory_.emplace_back(n_rows * n_cols).data(), 0, n_rows, n_cols, n_cols};
  }
  std::unique_ptr<KvCache> make_kv_cache(const KvShape& shape) override {
    return std::make_unique<TwinKv>(shape);
  }
  void read(Tensor from, double* to) override { copy_out(from, to); }
  void read(Tensor from, float* to) override { copy_out(from, to); }
  void write(Tensor to, const double* from) override {
    for (size_t i = 0; i < to.n_rows; ++i)
      for (size_t j = 0; j < to.n_cols; ++j) row(to, i)[j] = float(from[i * to.n_cols + j]);
  }

  void embed(Name, Tensor out, const Weight& table, std::span<const int32_t> ids) noexcept override {
    for (size_t i = 0; i < ids.size(); ++i)
      table.type->dequantize(table.row(size_t(ids[i])).data(), table.n_cols / table.type->block_elems,
                             row(out, i));
  }

  void norm(Name, Tensor out, Tensor in, const Norm& n) noexcept override {
    for (size_t i = 0; i < in.n_rows; ++i)
      for (size_t begin = 0; begin < in.n_cols; begin += n.group) {
        const size_t w0 = n.weight.size() > n.group ? begin : 0;
        twin::normalize(n.kind, float(n.epsilon), {row(in, i) + begin, n.group},
                        n.weight.empty() ? nullptr : n.weight.data() + w0,
                        n.bias.empty() ? nullptr : n.bias.data() + w0, row(out, i) + begin);
      }
  }

  void linear(std::span<const Product> products, Tensor in) noexcept override {
    const RoundedRows rounded(in);
    for (const Product& p : products)
      pool_.run(p.linear->weight->n_rows, [&](size_t r) {
        for (size_t i = 0; i < in.n_rows; ++i)
          row(p.out, i)[r] = product(*p.linear, r, 0, values(in, i), rounded, i);
      });
  }

  void rope(Name, Tensor x, size_t head_dim, const Rope& rope, const Batch& batch) noexcept override {
    const size_t n_pairs = rope.frequencies.size();
    const bool adjacent = rope.pairs == Rope::Pairs::adjacent;
    for (size_t i = 0; i < x.n_rows; ++i)
      for (size_t j = 0; j < n_pairs; ++j) {
        const double angle = batch.positions[i] * rope.frequencies[j];
        const float c = float(std::cos(angle) * rope.magnitude), s = float(std::sin(angle) * rope.magnitude);
        for (size_t begin = 0; begin < x.n_cols; begin += head_dim) {
          float& a = row(x, i)[begin + (adjacent ? 2 * j : j)];
          float& b = row(x, i)[begin + (adjacent ? 2 * j + 1 : j + n_pairs)];
          const float a0 = a, b0 = b;
          a = std::fma(a0, c, -(b0 * s));
          b = std::fma(a0, s, b0 * c);
        }
      }
  }

  void store_kv(size_t layer, Tensor k, Tensor v, const Batch& batch) noexcept override {
    for (size_t i = 0; i < k.n_rows; ++i) {
      auto& cache = static_cast<TwinKv&>(*batch.caches[i]);
      const size_t position = size_t(batch.positions[i]);
      store(cache.shape().type, values(k, i), cache.key(layer, position, 0));
      store(cache.shape().type, values(v, i), cache.value(layer, position, 0));
    }
  }

  void attention(Name, size_t layer, Tensor out, Tensor q, const Batch& batch,
                 const AttentionParams& p) noexcept override {
    const size_t heads_per_kv = p.n_heads / p.n_kv_heads;
    pool_.run(q.n_rows * p.n_heads, [&](size_t item) {
      const size_t i = item / p.n_heads, head = item % p.n_heads;
      auto& cache = static_cast<TwinKv&>(*batch.caches[i]);
      const size_t end = size_t(batch.positions[i]) + 1;
      const size_t begin = p.window != 0 && end > p.window ? end - p.window : 0;
      twin::attend(
          p, row(q, i) + head * p.head_dim, begin, end,
          [&](size_t j) { return cache.key(layer, j, head / heads_per_kv); },
          [&](size_t j) { return cache.value(layer, j, head / heads_per_kv); },
          row(out, i) + head * p.head_dim);
    });
  }

  void activate(Name, Tensor x, Activation f) noexcept override {
    for_each(x, [f](float v) { return apply(f, v); });
  }
  void activate_mul(Name, Tensor gate, Tensor up, Activation f) noexcept override {
    for (size_t i = 0; i < gate.n_rows; ++i)
      for (size_t j = 0; j < gate.n_cols; ++j) row(gate, i)[j] = apply(f, row(gate, i)[j]) * row(up, i)[j];
  }
  void add(Name, Tensor x, Tensor y) noexcept override {
    for (size_t i = 0; i < x.n_rows; ++i)
      for (size_t j = 0; j < x.n_cols; ++j) row(x, i)[j] += row(y, i)[j];
  }
  void scale(Name, Tensor x, double factor) noexcept override {
    for_each(x, [f = float(factor)](float v) { return v * f; });
  }
  void soft_cap(Name, Tensor x, double cap) noexcept override {
    for_each(x, [c = float(cap)](float v) { return twin::soft_cap(v, c); });
  }

  void route(Name, Routing& routing, Tensor logits, const RouteParams& p) noexcept override {
    routing.n_used = p.n_used;
    routing.experts.resize(logits.n_rows * p.n_used);
    routing.weights.resize(logits.n_rows * p.n_used);
    std::vector<int32_t> scratch(logits.n_cols);
    for (size_t i = 0; i < logits.n_rows; ++i) route_token(routing, i, values(logits, i), p, scratch);
  }

  void expert_linear(std::span<const Product> products, Tensor in, const Routing& routing) noexcept override {
    const RoundedRows rounded(in);
    const size_t n_slots = routing.experts.size(), slots_per_row = n_slots / in.n_rows;
    for (const Product& p : products)
      pool_.run(p.linear->weight->n_rows, [&](size_t r) {
        for (size_t slot = 0; slot < n_slots; ++slot) {
          const size_t i = slot / slots_per_row;
          row(p.out, slot)[r] =
              product(*p.linear, r, size_t(routing.experts[slot]), values(in, i), rounded, i);
        }
      });
  }

  void expert_sum(Name, Tensor out, Tensor slots, const Routing& routing) noexcept override {
    for (size_t i = 0; i < out.n_rows; ++i)
      for (size_t j = 0; j < out.n_cols; ++j) {
        float sum = 0;
        for (size_t s = i * routing.n_used; s < (i + 1) * routing.n_used; ++s)
          sum = std::fma(float(routing.weights[s]), row(slots, s)[j], sum);
        row(out, i)[j] = sum;
      }
  }

 private:
  /// Every row of an input in each rounding that its length allows.
  struct RoundedRows {
    explicit RoundedRows(Tensor in) {
      for (size_t i = 0; i < in.n_rows; ++i) {
        q8_0.push_back(in.n_cols % 32 == 0 ? twin::round_q8_0(values(in, i)) : twin::RoundedRow{});
        q8_k.push_back(in.n_cols % 256 == 0 ? twin::round_q8_k(values(in, i)) : twin::RoundedRow{});
      }
    }
    std::vector<twin::RoundedRow> q8_0, q8_k;
  };

  float product(const Linear& linear, size_t r, size_t expert, std::span<const float> x,
                const RoundedRows& rounded, size_t i) const {
    const Weight& w = *linear.weight;
    const auto& form = w.type->activations == Activations::q8_k ? rounded.q8_k : rounded.q8_0;
    float y = bf16_dot_ && w.type->name == "BF16" ? twin::bf16_dot(w.row(r, expert), x)
                                                  : twin::dot(*w.type, w.row(r, expert), x, form[i]);
    if (!linear.scale.empty()) y *= linear.scale[linear.scale.size() > 1 ? expert : 0];
    if (!linear.bias.empty()) y += linear.bias[expert * w.n_rows + r];
    return y;
  }
  template <class T>
  static void copy_out(Tensor from, T* to) {
    for (size_t i = 0; i < from.n_rows; ++i) std::copy_n(row(from, i), from.n_cols, to + i * from.n_cols);
  }
  template <class F>
  static void for_each(Tensor x, const F& f) {
    for (size_t i = 0; i < x.n_rows; ++i) std::transform(row(x, i), row(x, i) + x.n_cols, row(x, i), f);
  }

  ThreadPool& pool_;
  bool bf16_dot_;
  std::list<std::vector<float>> memory_;
};

}  // namespace

std::unique_ptr<Ops> make_twin_ops(ThreadPool& pool) {
  return std::make_unique<TwinOps>(pool, false);
}
std::unique_ptr<Ops> make_bf16_twin_ops(ThreadPool& pool) {
  return std::make_unique<TwinOps>(pool, true);
}

}  // namespace assay
