#include "diagnose/compare/text_run.h"

#include <cmath>
#include <exception>
#include <stdexcept>
#include <string_view>

#include "judge/statistics.h"
#include "ops/forward_ops.h"
#include "runtime/session.h"

namespace assay {
namespace {

/// Keeps what every layer leaves in the residual stream.
class KeepLayers final : public ForwardOps {
 public:
  KeepLayers(Ops& inner, TextRun& run) : ForwardOps(inner), run_(run) {}
  void add(Name name, Tensor x, Tensor y) noexcept override {
    inner().add(name, x, y);
    if (std::string_view(name.base) != "l_out") return;
    std::vector<float>& layer = run_.layers[size_t(name.layer)];
    const size_t begin = layer.size();
    layer.resize(begin + x.n_rows * x.n_cols);  // within its reserve
    inner().read(x, layer.data() + begin);
  }

 private:
  TextRun& run_;
};

}  // namespace

size_t count_tokens(const Sequences& sequences) {
  size_t n = 0;
  for (const std::vector<int32_t>& sequence : sequences) n += sequence.size();
  return n;
}

TextRun run_text(const Model& model, Ops& ops, const Sequences& sequences) {
  const Hparams& h = model.hparams();
  TextRun run;
  run.n_tokens = count_tokens(sequences);
  run.vocab_size = h.vocab_size;
  run.d_model = h.d_model;
  run.layers.resize(h.n_layers);
  try {
    run.logits.reserve(run.n_tokens * h.vocab_size);
    for (std::vector<float>& layer : run.layers) layer.reserve(run.n_tokens * h.d_model);
  } catch (const std::bad_alloc&) {
    throw MachineError("not enough memory for the logits of " + std::to_string(run.n_tokens) + " tokens");
  }
  KeepLayers kept(ops, run);
  for (const std::vector<int32_t>& sequence : sequences) {
    Session session(model, kept,
                    {.n_ctx = sequence.size(),
                     .n_batch = sequence.size(),
                     .n_logit_rows = sequence.size(),
                     .kv_type = KvType::f32});
    session.prefill(sequence, [&](size_t, std::span<const float> logits, std::span<const float>) {
      run.logits.insert(run.logits.end(), logits.begin(), logits.end());
    });
  }
  return run;
}

RunDistance distance(const TextRun& base, const TextRun& run) {
  if (base.n_tokens != run.n_tokens || base.vocab_size != run.vocab_size || base.d_model != run.d_model ||
      base.layers.size() != run.layers.size())
    throw std::invalid_argument("runs of different sizes");
  RunDistance d;
  for (const float logit : run.logits)
    if (!std::isfinite(logit)) {
      d.finite = false;
      return d;
    }
  for (size_t token = 0; token < base.n_tokens; ++token) {
    const Divergence one = diverge({base.row(token)}, {run.row(token)}, 0);
    d.kl += std::max(one.kl, 0.0);
    d.n_other_top += !one.same_top;
  }
  d.kl /= double(base.n_tokens);
  for (size_t layer = 0; layer < base.layers.size(); ++layer) {
    double sum = 0;
    for (size_t token = 0; token < base.n_tokens; ++token) {
      const float* const x = base.layers[layer].data() + token * base.d_model;
      const float* const y = run.layers[layer].data() + token * base.d_model;
      double error = 0, norm = 0;
      for (size_t j = 0; j < base.d_model; ++j) {
        const double difference = double(y[j]) - double(x[j]);
        error += difference * difference;
        norm += double(x[j]) * double(x[j]);
      }
      sum += norm > 0 ? error / norm : error;
    }
    d.layers.push_back(std::sqrt(sum / double(base.n_tokens)));
  }
  return d;
}

TopToken top_token(std::span<const float> logits) {
  TopToken top;
  for (size_t i = 1; i < logits.size(); ++i)
    if (logits[i] > logits[size_t(top.id)]) top.id = int32_t(i);
  top.second = top.id == 0 && logits.size() > 1 ? 1 : 0;
  for (size_t i = 0; i < logits.size(); ++i)
    if (int32_t(i) != top.id && logits[i] > logits[size_t(top.second)]) top.second = int32_t(i);
  top.logit = logits[size_t(top.id)];
  top.gap = top.logit - logits[size_t(top.second)];
  return top;
}

}  // namespace assay
