// The k most probable tokens.
#include <algorithm>

#include "sampling/stage.h"

namespace assay {

void apply_top_k(Candidates& candidates, const StageContext& context) {
  if (context.params.top_k <= 0) return;
  const size_t k = std::min(size_t(context.params.top_k), candidates.size());
  candidates.sort_front(k);
  candidates.keep_front(k);
}

}  // namespace assay
