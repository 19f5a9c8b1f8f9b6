// Text from a model: prompt in, pieces of text out.
#pragma once
#include <atomic>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/speculation.h"
#include "sampling/sampler.h"
#include "tokenizer/tokenizer.h"

namespace assay {

enum class EndReason : uint8_t { n_predict, end_of_text, stop_string, context_full, cancelled };

struct GenerateOptions {
  size_t n_predict = SIZE_MAX;            // tokens at most
  std::vector<std::string> stop_strings;  // the text ends before the first of them
  bool render_special = false;            // control tokens as their texts, else as nothing
  bool drop_space = false;  // a space that begins the text is dropped: for text that continues nothing
  const std::atomic<bool>* cancel = nullptr;
  Drafter* drafter = nullptr;  // guesses tokens ahead: the same text in fewer forward passes
  size_t n_draft = 0;          // tokens guessed at most
};

struct GenerateResult {
  EndReason reason{};
  size_t n_prompt = 0, n_generated = 0;  // tokens
  size_t n_steps = 0;                    // tokens computed after the prompt's
  size_t n_passes = 0;                   // forward passes that took; fewer where drafts were right
  size_t n_drafted = 0, n_accepted = 0;  // guessed tokens, and those that came true
  double prompt_seconds = 0;             // of the prompt's forward passes
  double step_seconds = 0;  // from the first token on: steps, sampling, decoding and the callback
};

/// Takes the next piece of the text: whole UTF-8 characters, U+FFFD for bytes that are none. May throw.
using TextCallback = std::function<void(std::string_view)>;

/// Throws UsageError when `prompt` is empty or longer than the room that the session has left. generate()
/// begins with it; who shows something before that asks first.
void check_prompt(const Session& session, std::span<const int32_t> prompt);

/// Appends `prompt` to the session and generates until something ends it. The sampler sees the prompt too.
/// The last token of the text may not be in the session yet. Throws UsageError (an empty prompt, one that
/// does not fit, an empty stop string), BadLogits, and what `on_text` throws.
GenerateResult generate(Session& session, const Tokenizer& tokenizer, Sampler& sampler,
                        std::span<const int32_t> prompt, const GenerateOptions& options,
                        const TextCallback& on_text);

/// Makes the tokens that end a text impossible (--ignore-eos).
void forbid_end_of_text(SamplingParams& params, const Tokenizer& tokenizer);
/// Makes each token whose text holds one of `texts` a breaker of the dry stage (--dry-sequence-breaker).
void break_repetitions(SamplingParams& params, const Tokenizer& tokenizer,
                       std::span<const std::string> texts);

}  // namespace assay
