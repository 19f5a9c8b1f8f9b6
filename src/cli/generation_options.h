// What `assay run` and `assay chat` share: context, sampling, stops, statistics.
#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "cli/model_options.h"
#include "cli/sampling_options.h"
#include "runtime/generate.h"

namespace assay::cli {

struct GenerationOptions {
  ModelOptions model;
  SamplingOptions sampling;
  size_t n_ctx = 0;  // 0: kDefaultContext, or the model's when that is less
  std::optional<size_t> n_predict;
  std::vector<std::string> stop_strings;
  bool render_special = false, stats = false;
  std::string draft;    // a model that guesses tokens ahead
  bool lookup = false;  // guesses from the text itself
  size_t n_draft = 8;
};

/// The model's options, the sampler's, -c, -n, --stop, --special, --stats, --draft, --lookup, --draft-max.
void add_generation_options(CLI::App& app, GenerationOptions& options);

/// A session of the size asked for; says so on standard error when that is more than the model was trained
/// for.
Session make_session(LoadedModel& loaded, const GenerationOptions& options);
Sampler make_sampler(const Tokenizer& tokenizer, const GenerationOptions& options);

/// Who guesses tokens ahead, with what it needs to live.
struct Speculation {
  std::unique_ptr<LoadedModel> model;
  std::unique_ptr<Drafter> drafter;
};
/// Neither --draft nor --lookup: no drafter. Throws UsageError, and as load_model.
Speculation make_speculation(const Tokenizer& tokenizer, const GenerationOptions& options, size_t n_ctx);

/// Says on standard error what a reader should know of how the text ended.
void report_end(const GenerateResult& result, const Session& session);

using Clock = std::chrono::steady_clock;
struct Timings {
  double load_seconds = 0;
  double first_text_seconds = 0;  // from the program's start; 0: there was no text
};
void print_stats(const GenerateResult& result, const Timings& timings, LoadedModel& loaded,
                 const Session& session, const Sampler& sampler);

}  // namespace assay::cli
