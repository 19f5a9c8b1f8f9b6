// What an engine is asked, and the prompt that becomes of it before the tokenizer.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gguf/gguf.h"
#include "tokenizer/tokenizer.h"

namespace assay {

/// A text as it stands, or a conversation.
struct PromptSource {
  std::string text;
  nlohmann::ordered_json chat;  // the variables of a chat template, {"messages": [...]}; null: `text`
};

/// A prompt on its way to the tokenizer.
struct PromptText {
  struct Part {
    std::string text;
    bool parse_special = true;  // control tokens spelled out become those tokens
  };
  std::vector<Part> parts;
  bool chat = false;  // written by a template: no EOS is added, and no BOS where the parts begin with one

  /// All parts.
  std::string text() const;
};

/// The right one: the text, special tokens meant, or the conversation as the file's template writes it.
/// Throws UsageError when the file has no template, or it does not take the conversation.
PromptText write_prompt(const GgufFile& file, const Tokenizer& tokenizer, const PromptSource& source);
/// The same by another template. Throws UsageError.
PromptText write_prompt_by(const std::string& template_source, const Tokenizer& tokenizer,
                           const nlohmann::ordered_json& chat);

/// The ids of `prompt`, BOS and EOS as the tokenizer's file asks. Throws UsageError: text that is not UTF-8.
std::vector<int32_t> encode_prompt(const Tokenizer& tokenizer, const PromptText& prompt);

}  // namespace assay
