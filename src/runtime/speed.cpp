#include "runtime/speed.h"

#include <algorithm>
#include <chrono>

namespace assay {
namespace {

template <class Work>
double seconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Sum over products of f(weight), experts counted as often as a token chooses them.
template <class F>
double sum_over_products(const Model& model, const F& f) {
  const double n_used = double(model.layers().front().route.n_used);
  double sum = 0;
  for (const Weight* w : model.product_weights())
    sum += f(*w) * (w->n_experts > 1 ? n_used / double(w->n_experts) : 1.0);
  return sum;
}

}  // namespace

Speed measure_speed(LoadedModel& model, const SpeedOptions& o,
                    const std::function<void(size_t)>& after_round) {
  const size_t vocab_size = model.model().hparams().vocab_size;
  std::vector<int32_t> ids(o.depth + std::max(o.n_prompt, o.n_generate));
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = int32_t((i * 7919 + 1) % vocab_size);
  SessionOptions options = o.session;
  options.n_ctx = ids.size();
  Session session(model.model(), model.ops(), options);
  const std::span<const int32_t> all(ids);
  session.prefill(all.first(o.depth));
  Speed speed;
  for (size_t round = 0; round < o.n_rounds; ++round) {
    session.truncate(o.depth);
    if (o.n_prompt != 0)
      speed.prefill.push_back(seconds([&] { session.prefill(all.subspan(o.depth, o.n_prompt)); }));
    session.truncate(o.depth);
    if (o.n_generate != 0)
      speed.generate.push_back(seconds([&] {
        for (size_t i = 0; i < o.n_generate; ++i) session.step(ids[o.depth + i]);
      }));
    if (after_round) after_round(round);
  }
  return speed;
}

double bytes_per_token(const Model& model) {
  return sum_over_products(model, [](const Weight& w) { return double(w.bytes.size()); });
}

double multiply_adds_per_token(const Model& model) {
  return sum_over_products(model, [](const Weight& w) { return double(w.n_rows * w.n_cols * w.n_experts); });
}

}  // namespace assay
