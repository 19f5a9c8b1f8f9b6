// Draws of a null model as distances from the anchor, and where a row falls among them.
#pragma once
#include <functional>
#include <vector>

#include "diagnose/compare/comparison.h"
#include "diagnose/compare/null_model.h"

namespace assay {

struct NullSample {
  std::vector<RunDistance> draws;
  RunDistance encoded;                        // of our own encoding
  std::vector<std::vector<float>> last_rows;  // logits of the last position, a draw each

  /// Runs `n_draws` draws and the encoding over the text; `step` is called after each.
  static NullSample take(NullModel& model, const TextRun& base, const Sequences& sequences, size_t n_draws,
                         uint64_t seed, const std::function<void()>& step);
};

/// The tests of a run at `observed` from `base`. `weight_ratio`: as CompareRow. `arithmetic`: what the
/// engine's own arithmetic adds, null for exact.
std::vector<Test> test_run(const NullSample& null, const TextRun& base, const TextRun& run,
                           const RunDistance& observed, double weight_ratio, const RunDistance* arithmetic,
                           double fault_chance);

}  // namespace assay
