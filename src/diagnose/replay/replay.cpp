#include "diagnose/replay/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ops/trace_ops.h"
#include "runtime/session.h"

namespace assay {
namespace {

/// Hands nothing on any more once it was stopped: operations cannot throw.
class StoppableOps final : public ForwardOps {
 public:
  using ForwardOps::ForwardOps;
  bool stopped = false;

  void embed(Name name, Tensor out, const Weight& table, std::span<const int32_t> ids) noexcept override {
    if (!stopped) inner().embed(name, out, table, ids);
  }
  void norm(Name name, Tensor out, Tensor in, const Norm& norm) noexcept override {
    if (!stopped) inner().norm(name, out, in, norm);
  }
  void linear(std::span<const Product> products, Tensor in) noexcept override {
    if (!stopped) inner().linear(products, in);
  }
  void rope(Name name, Tensor x, size_t head_dim, const Rope& rope, const Batch& batch) noexcept override {
    if (!stopped) inner().rope(name, x, head_dim, rope, batch);
  }
  void store_kv(size_t layer, Tensor k, Tensor v, const Batch& batch) noexcept override {
    if (!stopped) inner().store_kv(layer, k, v, batch);
  }
  void attention(Name name, size_t layer, Tensor out, Tensor q, const Batch& batch,
                 const AttentionParams& params) noexcept override {
    if (!stopped) inner().attention(name, layer, out, q, batch, params);
  }
  void activate(Name name, Tensor x, Activation f) noexcept override {
    if (!stopped) inner().activate(name, x, f);
  }
  void activate_mul(Name name, Tensor gate, Tensor up, Activation f) noexcept override {
    if (!stopped) inner().activate_mul(name, gate, up, f);
  }
  void add(Name name, Tensor x, Tensor y) noexcept override {
    if (!stopped) inner().add(name, x, y);
  }
  void scale(Name name, Tensor x, double factor) noexcept override {
    if (!stopped) inner().scale(name, x, factor);
  }
  void soft_cap(Name name, Tensor x, double cap) noexcept override {
    if (!stopped) inner().soft_cap(name, x, cap);
  }
  void route(Name name, Routing& routing, Tensor logits, const RouteParams& params) noexcept override {
    if (!stopped) inner().route(name, routing, logits, params);
  }
  void expert_linear(std::span<const Product> products, Tensor in, const Routing& routing) noexcept override {
    if (!stopped) inner().expert_linear(products, in, routing);
  }
  void expert_sum(Name name, Tensor out, Tensor slots, const Routing& routing) noexcept override {
    if (!stopped) inner().expert_sum(name, out, slots, routing);
  }
};

/// Leaves out products whose results the trace overwrites and nobody asks about.
class SkippingOps final : public ForwardOps {
 public:
  /// `next` counts results; all outlive this object.
  SkippingOps(Ops& inner, const TraceAlignment& trace, size_t from, const size_t& next)
      : ForwardOps(inner), trace_(trace), from_(from), next_(next) {}

  void linear(std::span<const Product> products, Tensor in) noexcept override {
    if (!overwritten(products)) inner().linear(products, in);
  }
  void expert_linear(std::span<const Product> products, Tensor in, const Routing& routing) noexcept override {
    if (!overwritten(products)) inner().expert_linear(products, in, routing);
  }

 private:
  bool overwritten(std::span<const Product> products) const {
    if (next_ + products.size() > from_) return false;
    for (size_t k = 0; k < products.size(); ++k) {
      const ForeignTensor* theirs = trace_.foreign(next_ + k);
      if (!theirs || theirs->values.size() != products[k].out.n_rows * products[k].out.n_cols ||
          !std::ranges::all_of(theirs->values, [](float x) { return std::isfinite(x); }))
        return false;
    }
    return true;
  }

  const TraceAlignment& trace_;
  size_t from_;
  const size_t& next_;
};

/// Where theirs lies in ours: the whole, or its last rows. Null when the shapes have nothing in common.
std::optional<size_t> first_row_of(const ForeignTensor& theirs, size_t n_rows, size_t n_cols) {
  if (theirs.values.size() == n_rows * n_cols) return 0;
  if (n_cols < 2 || theirs.values.empty() || theirs.values.size() % n_cols != 0) return std::nullopt;
  const size_t n = theirs.values.size() / n_cols;
  return n < n_rows ? std::optional(n_rows - n) : std::nullopt;
}

Compared compare(std::span<const double> ours, std::span<const float> theirs, size_t n_cols) {
  Compared c;
  c.n_cols = n_cols;
  double error = 0, norm = 0, their_norm = 0, product = 0;
  for (size_t begin = 0; begin < theirs.size(); begin += n_cols) {
    double row_error = 0, row_norm = 0;
    for (size_t j = begin; j < begin + n_cols; ++j) {
      // What f64 holds and f32 does not is infinite in theirs.
      const double a = std::abs(ours[j]) > 3.4e38 ? INFINITY : ours[j], b = double(theirs[j]);
      if (!std::isfinite(a) || !std::isfinite(b)) {
        if (std::isfinite(a) != std::isfinite(b))
          row_error += 1e6 * (std::isfinite(a) ? a * a + 1 : b * b + 1);
        continue;
      }
      row_error += (b - a) * (b - a);
      row_norm += a * a;
      their_norm += b * b;
      product += a * b;
    }
    c.row_errors.push_back(row_error == 0 ? 0 : std::sqrt(row_error / std::max(row_norm, 1e-30)));
    error += row_error;
    norm += row_norm;
  }
  c.relative = error == 0 ? 0 : std::sqrt(error / std::max(norm, 1e-30));
  c.cosine = norm > 0 && their_norm > 0 ? product / std::sqrt(norm * their_norm) : double(norm == their_norm);
  return c;
}

}  // namespace

Replay replay(const Model& model, FaultyEngine& engine, std::span<const int32_t> ids,
              const TraceAlignment& trace, const ReplayOptions& options) {
  Replay result;
  size_t next = 0;
  StoppableOps* gate = nullptr;
  SkippingOps skipping(engine.ops(), trace, std::min(options.from, trace.size()), next);
  TraceOps trace_ops(skipping, [&](TraceRecord&& r) {
    const size_t i = next++;
    const ForeignTensor* theirs = i < trace.size() ? trace.foreign(i) : nullptr;
    if (!theirs) return;
    const bool has_place = r.place.memory != nullptr;
    const size_t n_rows = has_place ? r.place.n_rows : r.values.size() / r.shape.back();
    const size_t n_cols = r.values.size() / n_rows;
    const std::optional<size_t> first = first_row_of(*theirs, n_rows, n_cols);
    if (!first || (!has_place && *first != 0)) {
      const std::vector<uint64_t> ours(r.shape.begin(), r.shape.end());
      result.wrong_shapes.push_back(
          fmt::format("{} has shape {}, not {}", r.name, shape_text(theirs->shape), shape_text(ours)));
      return;
    }
    const std::span<double> ours = std::span(r.values).subspan(*first * n_cols);
    Compared c = compare(ours, theirs->values, n_cols);
    c.result = i;
    c.first_row = *first;
    if (options.keep == i) {
      c.ours.assign(ours.begin(), ours.end());
      c.theirs.assign(theirs->values.begin(), theirs->values.end());
    }
    if (has_place) {
      for (size_t j = 0; j < ours.size(); ++j)
        if (std::isfinite(theirs->values[j])) ours[j] = double(theirs->values[j]);
      engine.ops().write(r.place.rows(*first, n_rows - *first), ours.data());
    }
    if (options.go_on && !options.go_on(c)) gate->stopped = true;
    result.compared.push_back(std::move(c));
  });
  StoppableOps stoppable(trace_ops);
  gate = &stoppable;
  Session session(
      model, stoppable,
      {.n_ctx = ids.size(), .n_batch = ids.size(), .n_logit_rows = ids.size(), .kv_type = KvType::f32});
  session.prefill(ids, [](size_t, std::span<const float>, std::span<const float>) {});
  if (trace_ops.failure()) std::rethrow_exception(trace_ops.failure());
  return result;
}

}  // namespace assay
