#include "sampling/sampler.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

namespace assay {
namespace {
SamplingParams validated(SamplingParams params, size_t vocab_size) {
  validate(params, vocab_size);
  std::sort(params.dry_breakers.begin(), params.dry_breakers.end());  // the stage searches them
  return params;
}

std::vector<LogitBias> merged(const std::vector<LogitBias>& biases) {
  std::map<int32_t, float> by_id;
  for (const LogitBias& bias : biases) by_id[bias.id] = bias.value;
  std::vector<LogitBias> result;
  for (const auto& entry : by_id) result.push_back({entry.first, entry.second});
  return result;
}

size_t look_back(int32_t last_n, bool used) {
  if (!used) return 0;
  return last_n < 0 ? History::kUnlimited : size_t(last_n);
}
}  // namespace

Sampler::Sampler(SamplingParams params, size_t vocab_size)
    : params_(validated(std::move(params), vocab_size)),
      vocab_size_(vocab_size),
      biases_(merged(params_.logit_bias)),
      chain_(stages_of(params_.samplers)),
      penalty_history_(
          look_back(params_.repeat_last_n, params_.repeat_penalty != 1 || params_.presence_penalty != 0 ||
                                               params_.frequency_penalty != 0),
          vocab_size),
      dry_history_(look_back(params_.dry_penalty_last_n, params_.dry_multiplier != 0), vocab_size),
      rng_(params_.seed) {
  const bool greedy = params_.temperature <= 0;
  std::erase_if(chain_, [&](const Stage* stage) { return greedy && !stage->before_greedy; });
  probabilities_.reserve(vocab_size);
  if (params_.dry_multiplier != 0) scratch_.by_token.resize(vocab_size);
}

int32_t Sampler::next(std::span<const float> logits) {
  if (logits.size() != vocab_size_)
    throw std::invalid_argument("one logit for each token of the vocabulary expected");
  candidates_.load(logits, biases_);
  const StageContext context{params_, penalty_history_, dry_history_, rng_, scratch_};
  for (const Stage* stage : chain_) stage->apply(candidates_, context);

  probabilities_.clear();
  if (params_.temperature <= 0) {
    const Candidate best = candidates_.best();
    candidates_.items().front() = best;
    candidates_.keep_front(1);
    probabilities_.push_back(1.0);
    return best.id;
  }
  const Weighing weighing(candidates_);
  const double threshold = rng_.next_unit() * weighing.sum;  // below the sum: 1 - 2^-53 times it rounds down
  double below = 0;                                          // weight of the tokens so far
  int32_t chosen = -1;
  for (const Candidate& c : candidates_.items()) {
    const double weight = weighing.weight(c);
    below += weight;  // the additions of weighing.sum again: they end above the threshold
    if (chosen < 0 && below > threshold) chosen = c.id;
    probabilities_.push_back(weight / weighing.sum);
  }
  return chosen;
}

void Sampler::accept(int32_t id) {
  if (id < 0 || size_t(id) >= vocab_size_)
    throw std::invalid_argument("accepted token id is outside the vocabulary");
  penalty_history_.accept(id);
  dry_history_.accept(id);
}

}  // namespace assay
