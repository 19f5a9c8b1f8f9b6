// Nucleus sampling (Holtzman et al., "The Curious Case of Neural Text Degeneration", 2019).
#include <algorithm>

#include "sampling/stage.h"

namespace assay {

/// Keeps the fewest most probable tokens whose probabilities add up to top_p, at least one.
void apply_top_p(Candidates& candidates, const StageContext& context) {
  if (context.params.top_p >= 1) return;
  const Weighing weighing(candidates);
  const double needed = double(context.params.top_p) * weighing.sum;
  double reached = 0;
  size_t n_kept = 0;
  for (size_t n_sorted = 0; n_kept < candidates.size() && (n_kept == 0 || reached < needed);) {
    if (n_kept == n_sorted) {  // most often few tokens do: sort no more than needed
      n_sorted = std::min(candidates.size(), std::max<size_t>(64, n_sorted * 8));
      candidates.sort_front(n_sorted);
    }
    reached += weighing.weight(candidates.items()[n_kept++]);
  }
  candidates.keep_front(n_kept);
}

}  // namespace assay
