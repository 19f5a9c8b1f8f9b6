// Locally typical sampling (Meister et al., "Locally Typical Sampling", 2022).
#include <algorithm>
#include <cmath>

#include "sampling/portable_math.h"
#include "sampling/stage.h"

namespace assay {

/// Keeps the fewest tokens whose surprise, -log p, is nearest to the entropy and whose probabilities add up
/// to more than `typical`; at least one.
void apply_typ_p(Candidates& candidates, const StageContext& context) {
  const double mass = double(context.params.typical);
  if (mass >= 1) return;
  candidates.sort_front(candidates.size());
  const Weighing weighing(candidates);
  auto& scored = context.scratch.scored;
  scored.clear();
  double entropy = 0;
  for (const Candidate& c : candidates.items()) {
    const double p = weighing.probability(c), log_p = portable_log(p);
    if (p > 0) entropy -= p * log_p;
    scored.push_back({-log_p, p, c});
  }
  for (auto& entry : scored) entry.score = std::abs(entry.score - entropy);
  std::sort(scored.begin(), scored.end(), [](const auto& a, const auto& b) {
    return a.score != b.score ? a.score < b.score : ranks_before(a.candidate, b.candidate);
  });
  size_t n_kept = 0;
  double reached = 0;
  while (n_kept < scored.size() && !(reached > mass)) reached += scored[n_kept++].probability;

  std::sort(scored.begin(), scored.begin() + ptrdiff_t(n_kept),
            [](const auto& a, const auto& b) { return ranks_before(a.candidate, b.candidate); });
  for (size_t i = 0; i < n_kept; ++i) candidates.items()[i] = scored[i].candidate;
  candidates.keep_front(n_kept);
}

}  // namespace assay
