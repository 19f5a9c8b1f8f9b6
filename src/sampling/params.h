// What a user can ask of the sampler, with the names and defaults of llama.cpp v0.5.0's options.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sampling/candidates.h"

namespace assay {

/// A stage whose value switches it off costs nothing. Ranges are those of validate().
struct SamplingParams {
  float temperature = 0.8f;        // <= 0: greedy, after logit_bias, penalties and dry alone
  float dynatemp_range = 0.0f;     // > 0: temperature +- this, by the entropy of the candidates
  float dynatemp_exponent = 1.0f;  // of the normalized entropy
  int32_t top_k = 40;              // <= 0: off
  float top_p = 0.95f;             // 1: off
  float min_p = 0.05f;             // 0: off
  float typical = 1.0f;            // 1: off
  float top_n_sigma = -1.0f;       // <= 0: off
  float xtc_probability = 0.0f;    // 0: off
  float xtc_threshold = 0.1f;      // above 0.5: off
  int32_t repeat_last_n = 64;      // tokens that the three penalties look back; 0: off, -1: all
  float repeat_penalty = 1.0f;     // 1: off
  float presence_penalty = 0.0f;   // 0: off
  float frequency_penalty = 0.0f;  // 0: off
  float dry_multiplier = 0.0f;     // 0: off
  float dry_base = 1.75f;
  int32_t dry_allowed_length = 2;
  int32_t dry_penalty_last_n = -1;  // 0: off, -1: all
  std::vector<int32_t>
      dry_breakers;  // ids of tokens that no repetition reaches across (newline, colon, quote, star)
  uint64_t seed = 0;
  std::vector<LogitBias> logit_bias;  // any order; a later entry for an id replaces an earlier one
  std::string samplers =
      "penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature";  // stages, in order
};

/// Throws UsageError naming the field, its value and its range when a value is out of range, an id is outside
/// [0, vocab_size), or `samplers` names an unknown or repeated stage.
void validate(const SamplingParams& params, size_t vocab_size);

/// ID+VALUE or ID-VALUE, as llama.cpp's --logit-bias takes it: "15043+1.5", "29871-inf". Throws UsageError.
LogitBias parse_logit_bias(std::string_view text);

}  // namespace assay
