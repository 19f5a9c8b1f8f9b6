// The tokens still in play, as the sampler stages pass them on.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/load_error.h"

namespace assay {

/// The model's logits are no basis for a choice: NaN, +infinity, or every token at -infinity.
struct BadLogits : UsageError {
  using UsageError::UsageError;
};

struct LogitBias {
  int32_t id = 0;
  float value = 0;  // added to the token's logit; -infinity forbids the token
};

struct Candidate {
  int32_t id;
  float logit;
};

/// The order of every stage: higher logit first, among equals the lower id. Total, so no sort's internals
/// show.
inline bool ranks_before(const Candidate& a, const Candidate& b) noexcept {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

/// Never empty between stages. Items are in id order or, once a stage has sorted them, in rank order; stages
/// that drop items from the middle keep that order. Reuses its memory from token to token.
class Candidates {
 public:
  /// Takes every token whose logit (plus bias) is above -infinity. `biases` has ascending, unique ids.
  /// Throws BadLogits naming the token when a logit is NaN or +infinity, or when no token is left.
  void load(std::span<const float> logits, std::span<const LogitBias> biases);

  std::span<Candidate> items() noexcept { return items_; }
  std::span<const Candidate> items() const noexcept { return items_; }
  size_t size() const noexcept { return items_.size(); }

  /// Puts the `n` highest in rank order at the front; the order of the rest is then unspecified, so the
  /// caller keeps only a part of the front. n in [1, size()].
  void sort_front(size_t n);
  /// n in [1, size()].
  void keep_front(size_t n) {
    items_.resize(n);
    n_sorted_ = std::min(n_sorted_, n);
  }
  /// Keeps the items for which `keep(item)` holds, which must be at least one.
  template <class Predicate>
  void keep_if(Predicate keep) {
    if (n_sorted_ < items_.size()) n_sorted_ = 0;
    std::erase_if(items_, [&](const Candidate& c) { return !keep(c); });
    n_sorted_ = std::min(n_sorted_, items_.size());
  }
  /// To be called by a stage that changed logits. A token that it pushed to -infinity is out of play; throws
  /// BadLogits when that leaves none.
  void logits_changed() {
    n_sorted_ = 0;
    drop_impossible();
  }
  /// The same for a stage that kept the order of rank.
  void drop_impossible();

  /// The highest in rank. Throws BadLogits when its logit is infinite (a stage overflowed).
  const Candidate& best() const;

 private:
  std::vector<Candidate> items_;
  size_t n_sorted_ = 0;  // this many at the front are the highest, in rank order
};

/// Unnormalized probabilities exp(logit - best logit) of the candidates, and their sum in item order.
struct Weighing {
  explicit Weighing(const Candidates& candidates);
  double weight(const Candidate& c) const noexcept;
  double probability(const Candidate& c) const noexcept { return weight(c) / sum; }
  double best_logit;
  double sum = 0;
};

}  // namespace assay
