#include "cli/generation_options.h"

#include <fmt/format.h>

#include "cli/terminal.h"
#include "runtime/memory_use.h"

namespace assay::cli {
namespace {

constexpr size_t kDefaultContext = 4096;

std::string speed(size_t n_tokens, double seconds) {
  return fmt::format("{:>6} tokens {:>9.3f} s {:>9.1f} tokens/s", n_tokens, seconds,
                     seconds > 0 ? double(n_tokens) / seconds : 0.0);
}

std::string mebibytes(uint64_t n_bytes) {
  return fmt::format("{:.1f} MiB", double(n_bytes) / 0x1p20);
}

}  // namespace

void add_generation_options(CLI::App& app, GenerationOptions& o) {
  add_model_options(app, o.model);
  app.add_option("-n,--n-predict", o.n_predict,
                 "Tokens to generate at most (default: to the end of the text)")
      ->check(CLI::NonNegativeNumber)
      ->option_text("N");
  app.add_option("-c,--ctx-size", o.n_ctx,
                 fmt::format("Context: tokens of prompt and text together (default: the model's, at most {})",
                             kDefaultContext))
      ->check(CLI::Range(1, 1 << 30))
      ->option_text("N");
  app.add_option("--stop", o.stop_strings, "End before this text; may be repeated")
      ->check([](const std::string& text) { return text.empty() ? "is empty" : ""; }, "")
      ->option_text("TEXT")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app.add_flag("--special", o.render_special, "Show control tokens");
  app.add_flag("--stats", o.stats, "Print times, speeds and memory on standard error at the end");
  app.add_option("--draft", o.draft,
                 "Smaller model of the same vocabulary that guesses tokens ahead: the same text, sooner")
      ->option_text("MODEL");
  app.add_flag("--lookup", o.lookup,
               "Guess tokens ahead from what the text said before: the same text, sooner");
  app.add_option("--draft-max", o.n_draft,
                 fmt::format("Tokens guessed ahead at most (default: {})", o.n_draft))
      ->check(CLI::Range(1, 64))
      ->option_text("N");
  add_sampling_options(app, o.sampling);
}

Session make_session(LoadedModel& loaded, const GenerationOptions& o) {
  const size_t n_ctx_train = loaded.model().hparams().n_ctx_train;
  const size_t n_ctx = o.n_ctx != 0 ? o.n_ctx : std::min(n_ctx_train, kDefaultContext);
  if (n_ctx > n_ctx_train)
    notice(fmt::format("warning: the context of {} tokens is more than the {} that the model was trained for",
                       n_ctx, n_ctx_train));
  const bool ahead = o.lookup || !o.draft.empty();
  return Session(loaded.model(), loaded.ops(),
                 {.n_ctx = n_ctx,
                  .n_batch = o.model.n_batch,
                  .n_logit_rows = ahead ? o.n_draft + 1 : 1,
                  .kv_type = o.model.kv_type});
}

Speculation make_speculation(const Tokenizer& tokenizer, const GenerationOptions& o, size_t n_ctx) {
  if (o.lookup && !o.draft.empty()) throw UsageError("--draft and --lookup: one of them guesses");
  Speculation s;
  if (o.lookup) s.drafter = std::make_unique<PromptLookup>();
  if (o.draft.empty()) return s;
  ModelOptions model = o.model;
  model.path = o.draft;
  s.model = load_model(model, true);
  s.drafter = std::make_unique<DraftModel>(
      *s.model, tokenizer,
      SessionOptions{
          .n_ctx = n_ctx, .n_batch = o.model.n_batch, .n_logit_rows = 1, .kv_type = o.model.kv_type});
  return s;
}

Sampler make_sampler(const Tokenizer& tokenizer, const GenerationOptions& o) {
  SamplingParams params = make_sampling_params(o.sampling);
  if (o.sampling.ignore_eos) forbid_end_of_text(params, tokenizer);
  if (params.dry_multiplier != 0) {
    std::vector<std::string> breakers = o.sampling.dry_breakers;
    if (breakers.empty()) breakers = {"\n", ":", "\"", "*"};  // llama.cpp's
    if (breakers == std::vector<std::string>{"none"}) breakers.clear();
    break_repetitions(params, tokenizer, breakers);
  }
  return Sampler(std::move(params), size_t(tokenizer.vocabulary().n_tokens()));
}

void report_end(const GenerateResult& result, const Session& session) {
  if (result.reason == EndReason::context_full)
    notice(fmt::format("the context of {} tokens is full; -c makes it larger", session.n_ctx()));
}

void print_stats(const GenerateResult& r, const Timings& t, LoadedModel& loaded, const Session& session,
                 const Sampler& sampler) {
  flush();
  std::string text = "\n";
  const auto line = [&](const char* name, const std::string& value) {
    text += fmt::format("{:<11} {}\n", name, value);
  };
  line("load", fmt::format("{:>27.3f} s", t.load_seconds));
  line("prompt", speed(r.n_prompt, r.prompt_seconds));
  line("generation", speed(r.n_steps, r.step_seconds));
  if (r.n_drafted > 0)
    line("drafts", fmt::format("{:>6} tokens guessed, {} came true; {} forward passes", r.n_drafted,
                               r.n_accepted, r.n_passes));
  if (t.first_text_seconds > 0) line("first text", fmt::format("{:>27.3f} s", t.first_text_seconds));
  line("memory", fmt::format("{} resident, {} at most; file {}, KV cache {}", mebibytes(resident_bytes()),
                             mebibytes(peak_resident_bytes()), mebibytes(loaded.model().file().n_bytes()),
                             mebibytes(session.kv_bytes())));
  line("how", fmt::format("backend {}, {} threads, seed {}, context {}", loaded.ops().name(),
                          loaded.n_threads(), sampler.params().seed, session.n_ctx()));
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace assay::cli
