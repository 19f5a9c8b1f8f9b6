// Repetition, frequency and presence penalties on the tokens of the recent past.
#include "sampling/stage.h"

namespace assay {

/// For each token met n > 0 times: logit / repeat_penalty (times it when the logit is <= 0: always
/// downwards), then minus n * frequency_penalty + presence_penalty.
void apply_penalties(Candidates& candidates, const StageContext& context) {
  const SamplingParams& p = context.params;
  if (context.penalty_history.size() == 0) return;  // also when all three are off: nothing is kept then
  for (Candidate& c : candidates.items()) {
    const uint32_t count = context.penalty_history.count(c.id);
    if (count == 0) continue;
    c.logit = c.logit <= 0 ? c.logit * p.repeat_penalty : c.logit / p.repeat_penalty;
    c.logit -= float(count) * p.frequency_penalty + p.presence_penalty;
  }
  candidates.logits_changed();
}

}  // namespace assay
