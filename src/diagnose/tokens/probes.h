// Short prompts that tell faults of tokens and prompts apart.
#pragma once
#include <vector>

#include "diagnose/faults/prompt_text.h"

namespace assay {

/// Texts, each with something that some tokenizer gets wrong: white space, digits, accents, emoji,
/// apostrophes, special tokens of this vocabulary. Short first.
std::vector<PromptSource> probe_texts(const Tokenizer& tokenizer);
/// Conversations, with and without a system message and earlier turns.
std::vector<PromptSource> probe_conversations();

/// A prompt as a person would give it: the text with \n and the like visible, or the messages as JSON.
std::string shown(const PromptSource& source);
/// White space and control characters visible: \n, \t, \xNN.
std::string shown(std::string_view text, size_t max_bytes = 100);

}  // namespace assay
