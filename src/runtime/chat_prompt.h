// Conversations to token ids, through the chat template of the model file.
#pragma once
#include <ctime>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "jinja/template.h"
#include "tokenizer/tokenizer.h"

namespace assay {

/// A rendered conversation.
struct ChatPrompt {
  std::string text;
  std::vector<int32_t> ids;  // with exactly one BOS where the tokenizer asks for one, whoever wrote it
};

/// A chat template with the tokenizer it is for. const use is thread-safe.
class ChatTemplate {
 public:
  /// The file's `tokenizer.chat_template`. Throws UsageError when it has none, LoadError when it does not
  /// parse.
  static ChatTemplate of_file(const GgufFile& file, const Tokenizer& tokenizer);
  /// From a source of the user's; `name` stands for it in errors. Throws UsageError when it does not parse.
  static ChatTemplate of_source(const std::string& source, const std::string& name,
                                const Tokenizer& tokenizer);

  /// `variables` is what the template sees: "messages", a list of {"role", "content"}, and perhaps "tools"
  /// and others; "add_generation_prompt" is true unless it says otherwise. Strings of `variables` never
  /// become control tokens, roles apart. `now` is the date that a template may show. Throws UsageError with
  /// the template's line.
  ChatPrompt render(const nlohmann::ordered_json& variables, const std::tm& now) const;
  /// The same before the tokenizer: the text in pieces, from the template or from `variables`.
  std::vector<jinja::Segment> write(const nlohmann::ordered_json& variables, const std::tm& now) const;

  const std::string& source() const { return template_.source(); }

 private:
  ChatTemplate(jinja::Template parsed, std::string name, const Tokenizer& tokenizer);

  jinja::Template template_;
  std::string name_;
  const Tokenizer& tokenizer_;
};

}  // namespace assay
