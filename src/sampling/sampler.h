// Logits to a token id.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sampling/candidates.h"
#include "sampling/history.h"
#include "sampling/params.h"
#include "sampling/rng.h"
#include "sampling/stage.h"

namespace assay {

/// One sequence's sampler: logit bias, then the stages in the order asked for, then a draw by probability. A
/// copy continues on its own with the same random numbers. The same params, logits and calls give the same
/// tokens on every platform.
class Sampler {
 public:
  /// Throws UsageError as validate() does.
  Sampler(SamplingParams params, size_t vocab_size);

  /// Chooses a token. `logits` has vocab_size entries (std::invalid_argument otherwise). With temperature <=
  /// 0 it is the one of the highest logit, the lowest id among equals. Does not accept() it. Throws
  /// BadLogits. Allocates on the first call only.
  int32_t next(std::span<const float> logits);

  /// Adds a token of the sequence, generated or of the prompt, to what the penalties look back on.
  /// `id` in [0, vocab_size): std::invalid_argument otherwise.
  void accept(int32_t id);

  /// What the last next() drew from: the tokens that the stages left and, in parallel, their probabilities
  /// (sum 1). Valid until the next call of next().
  std::span<const Candidate> candidates() const noexcept { return candidates_.items(); }
  std::span<const double> probabilities() const noexcept { return probabilities_; }

  const SamplingParams& params() const noexcept { return params_; }

 private:
  SamplingParams params_;
  size_t vocab_size_;
  std::vector<LogitBias> biases_;  // ascending, unique ids
  std::vector<const Stage*> chain_;
  History penalty_history_, dry_history_;
  Rng rng_;
  StageContext::Scratch scratch_;
  Candidates candidates_;
  std::vector<double> probabilities_;
};

}  // namespace assay
