// Options that choose how the next token is drawn, named as llama.cpp names them.
#pragma once
#include <optional>

#include "cli/command.h"
#include "sampling/params.h"

namespace assay::cli {

struct SamplingOptions {
  SamplingParams params;
  std::optional<uint64_t> seed;  // none: one from the system's entropy
  std::vector<std::string> logit_bias;
  std::vector<std::string> dry_breakers;  // empty: the default; "none": no breaker
  bool ignore_eos = false;
};

void add_sampling_options(CLI::App& app, SamplingOptions& options);

/// The parameters complete. Throws UsageError for a malformed --logit-bias; ranges are the Sampler's
/// business.
SamplingParams make_sampling_params(const SamplingOptions& options);

}  // namespace assay::cli
