// Drops tokens far below the best, measured by the spread of the logits (Tang et al., "Top-n-sigma: Not All
// Logits Are You Need", 2024).
#include <cmath>

#include "sampling/stage.h"

namespace assay {

/// Keeps the tokens whose logit is at least best - top_n_sigma * (standard deviation of the logits, over n
/// not n - 1).
void apply_top_n_sigma(Candidates& candidates, const StageContext& context) {
  if (context.params.top_n_sigma <= 0) return;
  const double best = double(candidates.best().logit), count = double(candidates.size());
  double mean = 0, variance = 0;
  for (const Candidate& c : candidates.items()) mean += double(c.logit) / count;
  for (const Candidate& c : candidates.items())
    variance += (double(c.logit) - mean) * (double(c.logit) - mean) / count;
  const double lowest = best - double(context.params.top_n_sigma) * std::sqrt(variance);
  candidates.keep_if([&](const Candidate& c) { return double(c.logit) >= lowest; });
}

}  // namespace assay
