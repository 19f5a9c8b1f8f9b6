#include "exact/ops_exact.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <list>
#include <numeric>
#include <utility>

#include "base/half.h"

namespace assay {
namespace {

double* row(Tensor t, size_t i) {
  return static_cast<double*>(t.memory) + t.offset + i * t.stride;
}

/// Keys and values as f64, (layer, position, kv_head, head_dim); rounded on the way in as the cache's type
/// is.
class ExactKv final : public KvCache {
 public:
  explicit ExactKv(const KvShape& s)
      : KvCache(s), keys_(s.n_layers * s.n_ctx * s.n_kv_heads * s.head_dim), values_(keys_.size()) {}
  double* key(size_t layer, size_t position, size_t kv_head) {
    return keys_.data() + index(layer, position, kv_head);
  }
  double* value(size_t layer, size_t position, size_t kv_head) {
    return values_.data() + index(layer, position, kv_head);
  }
  void store(const double* x, size_t n, double* out) const {
    if (shape().type == KvType::f32) std::copy_n(x, n, out);
    if (shape().type == KvType::f16)
      std::transform(x, x + n, out, [](double v) { return double(half_to_float(float_to_half(float(v)))); });
    if (shape().type == KvType::q8_0)
      for (size_t begin = 0; begin < n; begin += kv_info(KvType::q8_0).group)
        store_q8_0(x + begin, out + begin);
  }
  void read_key(size_t layer, size_t kv_head, size_t position, double* out) const override {
    std::copy_n(keys_.data() + index(layer, position, kv_head), shape().head_dim, out);
  }
  void read_value(size_t layer, size_t kv_head, size_t position, double* out) const override {
    std::copy_n(values_.data() + index(layer, position, kv_head), shape().head_dim, out);
  }

 private:
  /// 32 numbers: d = max |x| / 127, codes nearest to x / d, d rounded to f16 (llama.cpp's Q8_0).
  static void store_q8_0(const double* x, double* out) {
    double d = 0;
    for (size_t i = 0; i < 32; ++i) d = std::max(d, std::abs(x[i]) / 127);
    const double stored_d = half_to_float(float_to_half(float(d)));
    for (size_t i = 0; i < 32; ++i) {
      const double code = d == 0 ? 0 : std::nearbyint(x[i] / d);
      out[i] = stored_d * code;  // NaN and infinity stay what shows
    }
  }
  size_t index(size_t layer, size_t position, size_t kv_head) const {
    const KvShape& s = shape();
    return ((layer * s.n_ctx + position) * s.n_kv_heads + kv_head) * s.head_dim;
  }
  std::vector<double> keys_, values_;
};

double apply(Activation f, double x) {
  switch (f) {
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::gelu:  // Hendrycks and Gimpel 2016, the tanh form
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  }
  return x;
}

class ExactOps final : public Ops {
 public:
  explicit ExactOps(ThreadPool& pool) : pool_(pool) {}
  std::string_view name() const noexcept override { return "exact"; }

  void load(std::span<const Weight* const>, const Progress&) override {}

  Tensor allocate(size_t n_rows, size_t n_cols) override {
    return {memory_.emplace_back(n_rows * n_cols).data(), 0, n_rows, n_cols, n_cols};
  }
  std::unique_ptr<KvCache> make_kv_cache(const KvShape& shape) override {
    return std::make_unique<ExactKv>(shape);
  }
  void read(Tensor from, double* to) override {
    for (size_t i = 0; i < from.n_rows; ++i) std::copy_n(row(from, i), from.n_cols, to + i * from.n_cols);
  }
  void read(Tensor from, float* to) override {
    for (size_t i = 0; i < from.n_rows; ++i)
      std::transform(row(from, i), row(from, i) + from.n_cols, to + i * from.n_cols,
                     [](double x) { return float(x); });
  }
  void write(Tensor to, const double* from) override {
    for (size_t i = 0; i < to.n_rows; ++i) std::copy_n(from + i * to.n_cols, to.n_cols, row(to, i));
  }

  void embed(Name, Tensor out, const Weight& table, std::span<const int32_t> ids) noexcept override {
    std::vector<float> w(table.n_cols);
    for (size_t i = 0; i < ids.size(); ++i) {
      dequantize_row(table, size_t(ids[i]), 0, w);
      std::copy(w.begin(), w.end(), row(out, i));
    }
  }

  void norm(Name, Tensor out, Tensor in, const Norm& norm) noexcept override {
    const double n = double(norm.group);
    for (size_t i = 0; i < in.n_rows; ++i)
      for (size_t begin = 0; begin < in.n_cols; begin += norm.group) {
        const double* x = row(in, i) + begin;
        const double mean =
            norm.kind == Norm::Kind::layer ? std::accumulate(x, x + norm.group, 0.0) / n : 0.0;
        double sum = 0;
        for (size_t j = 0; j < norm.group; ++j) sum += (x[j] - mean) * (x[j] - mean);
        const double factor = 1 / std::sqrt(sum / n + norm.epsilon);
        const size_t w0 = norm.weight.size() > norm.group ? begin : 0;
        double* y = row(out, i) + begin;
        for (size_t j = 0; j < norm.group; ++j) {
          y[j] = (x[j] - mean) * factor * (norm.weight.empty() ? 1.0 : double(norm.weight[w0 + j]));
          if (!norm.bias.empty()) y[j] += double(norm.bias[w0 + j]);
        }
      }
  }

  void linear(std::span<const Product> products, Tensor in) noexcept override {
    for (const Product& p : products) {
      const Weight& weight = *p.linear->weight;
      pool_.run(weight.n_rows, [&](size_t r) {
        std::vector<float> w(weight.n_cols);
        dequantize_row(weight, r, 0, w);
        for (size_t i = 0; i < in.n_rows; ++i) row(p.out, i)[r] = finish(*p.linear, r, 0, dot(w, row(in, i)));
      });
    }
  }

  void rope(Name, Tensor x, size_t head_dim, const Rope& rope, const Batch& batch) noexcept override {
    const size_t n_pairs = rope.frequencies.size();
    const bool adjacent = rope.pairs == Rope::Pairs::adjacent;
    for (size_t i = 0; i < x.n_rows; ++i)
      for (size_t begin = 0; begin < x.n_cols; begin += head_dim)
        for (size_t j = 0; j < n_pairs; ++j) {
          const double angle = batch.positions[i] * rope.frequencies[j];
          const double c = std::cos(angle) * rope.magnitude, s = std::sin(angle) * rope.magnitude;
          double& a = row(x, i)[begin + (adjacent ? 2 * j : j)];
          double& b = row(x, i)[begin + (adjacent ? 2 * j + 1 : j + n_pairs)];
          const double a0 = a, b0 = b;
          a = a0 * c - b0 * s;
          b = a0 * s + b0 * c;
        }
  }

  void store_kv(size_t layer, Tensor k, Tensor v, const Batch& batch) noexcept override {
    for (size_t i = 0; i < k.n_rows; ++i) {
      auto& cache = static_cast<ExactKv&>(*batch.caches[i]);
      const size_t position = size_t(batch.positions[i]);
      cache.store(row(k, i), k.n_cols, cache.key(layer, position, 0));
      cache.store(row(v, i), v.n_cols, cache.value(layer, position, 0));
    }
  }

  void attention(Name, size_t layer, Tensor out, Tensor q, const Batch& batch,
                 const AttentionParams& p) noexcept override {
    const size_t heads_per_kv = p.n_heads / p.n_kv_heads;
    pool_.run(q.n_rows * p.n_heads, [&](size_t item) {
      const size_t i = item / p.n_heads, head = item % p.n_heads;
      auto& cache = static_cast<ExactKv&>(*batch.caches[i]);
      const double* query = row(q, i) + head * p.head_dim;
      const size_t end = size_t(batch.positions[i]) + 1;
      const size_t begin = p.window != 0 && end > p.window ? end - p.window : 0;
      std::vector<double> weight(end - begin);
      for (size_t j = begin; j < end; ++j) {
        const double* key = cache.key(layer, j, head / heads_per_kv);
        double score = std::inner_product(query, query + p.head_dim, key, 0.0) * p.scale;
        if (p.soft_cap != 0) score = p.soft_cap * std::tanh(score / p.soft_cap);
        weight[j - begin] = score;
      }
      const double top = *std::max_element(weight.begin(), weight.end());
      double total = 0;
      for (double& w : weight) total += w = std::exp(w - top);
      double* result = row(out, i) + head * p.head_dim;
      std::fill_n(result, p.head_dim, 0.0);
      for (size_t j = begin; j < end; ++j) {
        const double* value = cache.value(layer, j, head / heads_per_kv);
        for (size_t c = 0; c < p.head_dim; ++c) result[c] += weight[j - begin] / total * value[c];
      }
    });
  }

  void activate(Name, Tensor x, Activation f) noexcept override {
    for_each(x, [f](double v) { return apply(f, v); });
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
    for_each(x, [factor](double v) { return v * factor; });
  }
  void soft_cap(Name, Tensor x, double cap) noexcept override {
    for_each(x, [cap](double v) { return cap * std::tanh(v / cap); });
  }

  void route(Name, Routing& routing, Tensor logits, const RouteParams& p) noexcept override {
    routing.n_used = p.n_used;
    routing.experts.resize(logits.n_rows * p.n_used);
    routing.weights.resize(routing.experts.size());
    std::vector<int32_t> order(logits.n_cols);
    for (size_t i = 0; i < logits.n_rows; ++i) {
      const double* x = row(logits, i);
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [x](int32_t a, int32_t b) { return x[a] > x[b]; });
      const size_t n_in_sum = p.order == RouteParams::Order::softmax_then_top ? logits.n_cols : p.n_used;
      double total = 0;
      for (size_t e = 0; e < n_in_sum; ++e) total += std::exp(x[order[e]] - x[order[0]]);
      double chosen = 0;
      double* weights = routing.weights.data() + i * p.n_used;
      for (size_t s = 0; s < p.n_used; ++s) {
        routing.experts[i * p.n_used + s] = order[s];
        chosen += weights[s] = std::exp(x[order[s]] - x[order[0]]) / total;
      }
      for (size_t s = 0; s < p.n_used; ++s) weights[s] *= p.scale / (p.normalize ? chosen : 1.0);
    }
  }

  void expert_linear(std::span<const Product> products, Tensor in, const Routing& routing) noexcept override {
    const size_t n_slots = routing.experts.size();
    const size_t slots_per_row = n_slots / in.n_rows;
    for (const Product& p : products) {
      const Weight& weight = *p.linear->weight;
      pool_.run(weight.n_rows, [&](size_t r) {
        std::vector<float> w(weight.n_cols);
        for (size_t e = 0; e < weight.n_experts; ++e) {
          bool decoded = false;
          for (size_t slot = 0; slot < n_slots; ++slot) {
            if (size_t(routing.experts[slot]) != e) continue;
            if (!std::exchange(decoded, true)) dequantize_row(weight, r, e, w);
            row(p.out, slot)[r] = finish(*p.linear, r, e, dot(w, row(in, slot / slots_per_row)));
          }
        }
      });
    }
  }

  void expert_sum(Name, Tensor out, Tensor slots, const Routing& routing) noexcept override {
    for (size_t i = 0; i < out.n_rows; ++i)
      for (size_t j = 0; j < out.n_cols; ++j) {
        double sum = 0;
        for (size_t s = i * routing.n_used; s < (i + 1) * routing.n_used; ++s)
          sum += routing.weights[s] * row(slots, s)[j];
        row(out, i)[j] = sum;
      }
  }

 private:
  static void dequantize_row(const Weight& weight, size_t r, size_t expert, std::span<float> out) {
    weight.type->dequantize(weight.row(r, expert).data(), weight.n_cols / weight.type->block_elems,
                            out.data());
  }
  static double dot(std::span<const float> w, const double* x) {
    double sum = 0;
    for (size_t k = 0; k < w.size(); ++k) sum += double(w[k]) * x[k];
    return sum;
  }
  static double finish(const Linear& linear, size_t r, size_t expert, double product) {
    const Weight& w = *linear.weight;
    if (!linear.scale.empty()) product *= double(linear.scale[linear.scale.size() > 1 ? expert : 0]);
    if (!linear.bias.empty()) product += double(linear.bias[expert * w.n_rows + r]);
    return product;
  }
  template <class F>
  static void for_each(Tensor x, const F& f) {
    for (size_t i = 0; i < x.n_rows; ++i) std::transform(row(x, i), row(x, i) + x.n_cols, row(x, i), f);
  }

  ThreadPool& pool_;
  std::list<std::vector<double>> memory_;
};

}  // namespace

std::unique_ptr<Ops> make_exact_ops(ThreadPool& pool) {
  return std::make_unique<ExactOps>(pool);
}

}  // namespace assay
