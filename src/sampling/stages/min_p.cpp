// Drops tokens that are improbable beside the best one (Nguyen et al., "Turning Up the Heat: Min-p Sampling",
// 2024).
#include "sampling/portable_math.h"
#include "sampling/stage.h"

namespace assay {

/// Keeps the tokens with at least min_p times the probability of the best.
void apply_min_p(Candidates& candidates, const StageContext& context) {
  if (context.params.min_p <= 0) return;
  const double lowest = double(candidates.best().logit) + portable_log(double(context.params.min_p));
  candidates.keep_if([&](const Candidate& c) { return double(c.logit) >= lowest; });
}

}  // namespace assay
