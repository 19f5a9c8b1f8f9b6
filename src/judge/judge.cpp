#include "judge/judge.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace assay {
namespace {

/// Rows of logits held at once: as many as fit 64 MiB, at most a kernel's worth.
size_t rows_at_once(size_t vocab_size, size_t n_rows) {
  constexpr size_t kMost = 256, kBytes = size_t(64) << 20;
  return std::min(n_rows, std::clamp<size_t>(kBytes / (vocab_size * sizeof(float)), 1, kMost));
}

}  // namespace

void need_finite(double value, size_t chunk) {
  if (!std::isfinite(value))
    throw UsageError("in chunk " + std::to_string(chunk + 1) +
                     " the model gives logits that are not numbers");
}

std::vector<double> measure_surprise(LogitSource& source, const ScoredText& text, ThreadPool& pool,
                                     const std::function<bool(std::span<const double>)>& chunk_done) {
  const size_t n_vocab = source.vocab_size(), block = rows_at_once(n_vocab, text.n_rows());
  std::vector<float> logits(block * n_vocab);
  std::vector<double> all;
  for (size_t chunk = 0; chunk < text.n_chunks; ++chunk) {
    source.begin(chunk);
    for (size_t n, at = 0; at < text.n_rows(); at += n) {
      n = std::min(block, text.n_rows() - at);
      source.read(n, logits.data());
      const size_t before = all.size();
      all.resize(before + n);
      pool.run(n, [&](size_t r) {
        const LogitRow row{{logits.data() + r * n_vocab, n_vocab}, source.normalized()};
        all[before + r] = surprise(row, text.target(chunk, at + r));
      });
      for (size_t r = 0; r < n; ++r) need_finite(all[before + r], chunk);
    }
    if (!chunk_done(all)) break;
  }
  return all;
}

std::vector<std::vector<Divergence>> measure_divergence(
    LogitSource& base, std::span<LogitSource* const> models, const ScoredText& text, ThreadPool& pool,
    const std::function<bool(std::span<const std::vector<Divergence>>)>& chunk_done) {
  const size_t n_vocab = base.vocab_size(), block = rows_at_once(n_vocab, text.n_rows());
  for (const LogitSource* model : models)
    if (model->vocab_size() != n_vocab)
      throw UsageError("the base has a vocabulary of " + std::to_string(n_vocab) +
                       " tokens, the model one of " + std::to_string(model->vocab_size()));
  std::vector<float> base_logits(block * n_vocab), logits(block * n_vocab);
  std::vector<std::vector<Divergence>> all(models.size());
  for (size_t chunk = 0; chunk < text.n_chunks; ++chunk) {
    base.begin(chunk);
    for (LogitSource* model : models) model->begin(chunk);
    for (size_t n, at = 0; at < text.n_rows(); at += n) {
      n = std::min(block, text.n_rows() - at);
      base.read(n, base_logits.data());
      for (size_t m = 0; m < models.size(); ++m) {
        models[m]->read(n, logits.data());
        const size_t before = all[m].size();
        all[m].resize(before + n);
        pool.run(n, [&](size_t r) {
          all[m][before + r] = diverge({{base_logits.data() + r * n_vocab, n_vocab}, base.normalized()},
                                       {{logits.data() + r * n_vocab, n_vocab}, models[m]->normalized()},
                                       text.target(chunk, at + r));
        });
        for (size_t r = 0; r < n; ++r) {
          need_finite(all[m][before + r].base_nll, chunk);
          need_finite(all[m][before + r].kl, chunk);
        }
      }
    }
    if (!chunk_done(all)) break;
  }
  return all;
}

}  // namespace assay
