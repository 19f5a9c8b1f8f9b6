#include "runtime/generate.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "sampling/stop_strings.h"
#include "tokenizer/stream_decoder.h"

namespace assay {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

void check_prompt(const Session& session, std::span<const int32_t> prompt) {
  if (prompt.empty()) throw UsageError("the prompt has no tokens, and the model no BOS token to begin with");
  if (prompt.size() > session.n_left())
    throw UsageError("the prompt has " + std::to_string(prompt.size()) + " tokens, the context of " +
                     std::to_string(session.n_ctx()) + " has room for " + std::to_string(session.n_left()));
}

GenerateResult generate(Session& session, const Tokenizer& tokenizer, Sampler& sampler,
                        std::span<const int32_t> prompt, const GenerateOptions& options,
                        const TextCallback& on_text) {
  check_prompt(session, prompt);
  const size_t n_tokens = size_t(tokenizer.vocabulary().n_tokens());
  StopStrings stops(options.stop_strings);
  StreamDecoder decoder(tokenizer, {options.render_special, options.drop_space});
  const auto show = [&](std::string_view text) {
    if (!text.empty()) on_text(text);
  };
  const auto cancelled = [&] { return options.cancel && options.cancel->load(std::memory_order_relaxed); };

  GenerateResult result;
  result.n_prompt = prompt.size();
  const Clock::time_point begin = Clock::now();
  const Status prefilled = session.prefill(prompt, options.cancel);
  result.prompt_seconds = seconds_since(begin);
  if (prefilled == Status::cancelled) {
    result.reason = EndReason::cancelled;
    return result;
  }
  for (const int32_t id : prompt) sampler.accept(id);

  const Clock::time_point first_token = Clock::now();
  LookAhead ahead(session, options.drafter, options.n_draft);
  for (;;) {
    if (result.n_generated >= options.n_predict) {
      result.reason = EndReason::n_predict;
      break;
    }
    // The model may have more rows than the vocabulary has tokens: padding, which has no text.
    const int32_t id = sampler.next(ahead.logits().first(n_tokens));
    if (tokenizer.ends_generation(id)) {
      result.reason = EndReason::end_of_text;
      break;
    }
    sampler.accept(id);
    ++result.n_generated;
    show(stops.feed(decoder.push(id)));
    if (stops.stopped()) {
      result.reason = EndReason::stop_string;
      break;
    }
    if (result.n_generated >= options.n_predict) continue;  // its step would be computed for nothing
    if (cancelled()) {
      result.reason = EndReason::cancelled;
      break;
    }
    if (ahead.choose(id) == Status::context_full) {
      result.reason = EndReason::context_full;
      break;
    }
    ++result.n_steps;
  }
  show(stops.feed(decoder.flush()));
  show(stops.finish());
  result.n_passes = ahead.n_passes();
  result.n_drafted = ahead.n_drafted();
  result.n_accepted = ahead.n_accepted();
  result.step_seconds = seconds_since(first_token);
  return result;
}

void forbid_end_of_text(SamplingParams& params, const Tokenizer& tokenizer) {
  for (int32_t id = 0; id < tokenizer.vocabulary().n_tokens(); ++id)
    if (tokenizer.ends_generation(id))
      params.logit_bias.push_back({id, -std::numeric_limits<float>::infinity()});
}

void break_repetitions(SamplingParams& params, const Tokenizer& tokenizer,
                       std::span<const std::string> texts) {
  for (int32_t id = 0; id < tokenizer.vocabulary().n_tokens(); ++id)
    if (std::any_of(texts.begin(), texts.end(), [piece = tokenizer.piece(id)](const std::string& text) {
          return piece.find(text) != std::string_view::npos;
        }))
      params.dry_breakers.push_back(id);
}

}  // namespace assay
