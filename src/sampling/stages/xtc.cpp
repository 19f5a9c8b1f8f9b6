// "Exclude top choices": now and then takes away the obvious tokens, for surprise (as in
// text-generation-webui's PR 6335).
#include "sampling/stage.h"

namespace assay {

/// With probability xtc_probability: of the tokens of at least probability xtc_threshold, only the last in
/// rank stays. Uses one random number a token while it is on.
void apply_xtc(Candidates& candidates, const StageContext& context) {
  const SamplingParams& p = context.params;
  if (p.xtc_probability <= 0 || p.xtc_threshold > 0.5f || candidates.size() < 2) return;
  if (context.rng.next_unit() >= double(p.xtc_probability)) return;
  const Weighing weighing(candidates);
  const auto is_top = [&](const Candidate& c) { return weighing.probability(c) >= double(p.xtc_threshold); };
  Candidate last = candidates.best();
  for (const Candidate& c : candidates.items())
    if (is_top(c) && ranks_before(last, c)) last = c;
  candidates.keep_if([&](const Candidate& c) { return c.id == last.id || !is_top(c); });
}

}  // namespace assay
