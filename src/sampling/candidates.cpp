#include "sampling/candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sampling/portable_math.h"

namespace assay {
namespace {
constexpr float kInfinity = std::numeric_limits<float>::infinity();
}

void Candidates::load(std::span<const float> logits, std::span<const LogitBias> biases) {
  items_.clear();
  items_.reserve(logits.size());
  n_sorted_ = 0;
  auto bias = biases.begin();
  for (size_t id = 0; id < logits.size(); ++id) {
    float logit = logits[id];
    if (bias != biases.end() && size_t(bias->id) == id) logit += (bias++)->value;
    if (!(logit < kInfinity))
      throw BadLogits("logit of token " + std::to_string(id) + " is " +
                      (std::isnan(logit) ? "not a number" : "+infinity"));
    items_.push_back({int32_t(id), logit});
  }
  drop_impossible();
}

void Candidates::drop_impossible() {
  keep_if([](const Candidate& c) { return c.logit > -kInfinity; });
  if (items_.empty()) throw BadLogits("every token's logit is -infinity");
}

void Candidates::sort_front(size_t n) {
  if (n <= n_sorted_) return;
  // The front holds the n best so far and up to n newcomers; whatever ranks behind the n-th best is passed
  // by, which most are.
  const auto first = items_.begin();
  size_t n_front = std::min(items_.size(), 2 * n);
  const auto select = [&] {
    if (n < n_front)
      std::nth_element(first, first + ptrdiff_t(n - 1), first + ptrdiff_t(n_front), ranks_before);
    n_front = n;
  };
  size_t i = n_front;
  select();
  for (Candidate last = items_[n - 1]; i < items_.size(); ++i) {
    if (!ranks_before(items_[i], last)) continue;
    std::swap(items_[n_front++], items_[i]);
    if (n_front == 2 * n) {
      select();
      last = items_[n - 1];
    }
  }
  select();
  std::sort(first, first + ptrdiff_t(n), ranks_before);
  n_sorted_ = n;
}

const Candidate& Candidates::best() const {
  const Candidate& best =
      n_sorted_ > 0 ? items_.front() : *std::min_element(items_.begin(), items_.end(), ranks_before);
  if (!std::isfinite(best.logit))
    throw BadLogits("logit of token " + std::to_string(best.id) + " overflows in the sampler");
  return best;
}

Weighing::Weighing(const Candidates& candidates) : best_logit(double(candidates.best().logit)) {
  for (const Candidate& c : candidates.items()) sum += weight(c);
}

double Weighing::weight(const Candidate& c) const noexcept {
  return portable_exp(double(c.logit) - best_logit);
}

}  // namespace assay
