#include "runtime/speed.h"

#include <algorithm>
#include <chrono>
#include <deque>

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

Speed measure_speed(LoadedModel& model, const SpeedOptions& o, const std::function<void()>& beside) {
  const size_t vocab_size = model.model().hparams().vocab_size;
  std::vector<int32_t> ids(o.depth + std::max(o.n_prompt, o.n_generate));
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = int32_t((i * 7919 + 1) % vocab_size);
  SessionOptions options = o.session;
  options.n_ctx = ids.size();
  options.n_logit_rows = o.n_sequences;
  std::deque<Session> sessions;
  std::vector<Session*> together;
  const std::span<const int32_t> all(ids);
  for (size_t i = 0; i < o.n_sequences; ++i) {
    together.push_back(&sessions.emplace_back(model.model(), model.ops(), options));
    sessions.back().prefill(all.first(o.depth));
    options.n_logit_rows = 1;  // the first one's workspace serves all
  }
  Session& session = sessions.front();
  std::vector<int32_t> next(o.n_sequences);
  Speed speed;
  beside();
  for (size_t round = 0; round < o.n_rounds; ++round) {
    session.truncate(o.depth);
    if (o.n_prompt != 0)
      speed.prefill.push_back(seconds([&] { session.prefill(all.subspan(o.depth, o.n_prompt)); }));
    for (Session& s : sessions) s.truncate(o.depth);
    if (o.n_generate != 0)
      speed.generate.push_back(seconds([&] {
        for (size_t i = 0; i < o.n_generate; ++i) {
          for (size_t s = 0; s < sessions.size(); ++s) next[s] = ids[(o.depth + i + s) % ids.size()];
          Session::step_together(together, next);
        }
      }));
    beside();
  }
  return speed;
}

double bytes_per_token(const Model& model) {
  return sum_over_products(model, [](const Weight& w) { return double(w.bytes.size()); });
}

double kv_bytes_per_position(const Model& model, KvType type) {
  const Hparams& h = model.hparams();
  return 2.0 * double(h.n_layers * h.n_kv_heads * h.head_dim) * kv_info(type).bytes_per_number;
}

double product_seconds_per_token(const Model& model, const cpu::Limits& limits) {
  return sum_over_products(model, [&](const Weight& w) {
    const bool by_dot = limits.bf16_ops != 0 && w.type->name == "BF16";
    const double rate = by_dot                                    ? limits.bf16_ops
                        : w.type->activations == Activations::f32 ? limits.float_ops
                                                                  : limits.int8_ops;
    return 2.0 * double(w.n_rows * w.n_cols * w.n_experts) / rate;
  });
}

}  // namespace assay
