// DRY: "don't repeat yourself" (text-generation-webui's PR 5677): penalizes the token that would continue a
// repetition.
#include <algorithm>

#include "sampling/portable_math.h"
#include "sampling/stage.h"

namespace assay {
namespace {
/// lengths[i] = how many of the newest tokens equal those ending i tokens earlier, at most `limit` (the Z
/// function of the reversed history; lengths[0] is not used).
void repetition_lengths(const History& history, size_t limit, std::vector<uint32_t>& lengths) {
  const size_t n = history.size();
  lengths.assign(n, 0);
  size_t left = 0, right = 0;  // the match found so far that reaches farthest: [left, right)
  for (size_t i = 1; i < n; ++i) {
    size_t length = i < right ? std::min(size_t(lengths[i - left]), right - i) : 0;
    while (i + length < n && history.recent(length) == history.recent(i + length)) ++length;
    if (i + length > right) {
      left = i;
      right = i + length;
    }
    lengths[i] = uint32_t(length);
  }
  for (uint32_t& length : lengths) length = uint32_t(std::min<size_t>(length, limit));
}
}  // namespace

/// logit - dry_multiplier * dry_base ^ (n - dry_allowed_length) for each token that followed an earlier
/// occurrence of the newest n >= dry_allowed_length tokens, n as long as possible and without a breaker.
void apply_dry(Candidates& candidates, const StageContext& context) {
  const SamplingParams& p = context.params;
  const History& history = context.dry_history;  // empty when the stage is off
  const size_t allowed = size_t(p.dry_allowed_length);
  size_t limit = 0;  // tokens since the last breaker
  const auto is_breaker = [&](int32_t id) {
    return std::binary_search(p.dry_breakers.begin(), p.dry_breakers.end(), id);
  };
  while (limit < history.size() && !is_breaker(history.recent(limit))) ++limit;
  if (limit < allowed) return;

  auto& lengths = context.scratch.lengths;
  auto& longest = context.scratch.by_token;
  repetition_lengths(history, limit, lengths);
  for (size_t i = 1; i < lengths.size(); ++i) {
    if (lengths[i] < allowed) continue;
    const size_t next = size_t(history.recent(i - 1));
    longest[next] = std::max(longest[next], lengths[i]);
  }
  constexpr double kMaxExponent = 80;  // e^80 * the largest multiplier is still a float
  for (Candidate& c : candidates.items()) {
    if (longest[size_t(c.id)] == 0) continue;
    const double excess = double(longest[size_t(c.id)]) - double(allowed);
    const double growth = portable_exp(std::min(kMaxExponent, excess * portable_log(double(p.dry_base))));
    c.logit = float(double(c.logit) - double(p.dry_multiplier) * growth);
  }
  for (size_t i = 1; i < lengths.size(); ++i)
    if (lengths[i] >= allowed) longest[size_t(history.recent(i - 1))] = 0;
  candidates.logits_changed();
}

}  // namespace assay
