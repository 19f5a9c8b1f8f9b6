// A model's chat template: messages in, prompt out.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "jinja/template.h"

namespace assay::jinja {

/// What of the model a chat template needs.
struct ChatModel {
  std::string bos_token, eos_token;  // their texts; empty when the model has none
};

/// One rendering.
struct ChatRequest {
  nlohmann::ordered_json messages;  // array of {"role", "content", ...} as OpenAI's API has them
  nlohmann::ordered_json tools{};   // array, or null for none
  bool add_generation_prompt = true;
  nlohmann::ordered_json extra =
      nlohmann::ordered_json::object();  // further variables, such as enable_thinking
};

/// Renders as transformers' apply_chat_template does, after giving messages the form that the template reads.
/// Immutable; may render in several threads at once.
class ChatTemplate {
 public:
  /// Parses `source` and finds out, by rendering short conversations, in what form it reads message contents
  /// and the arguments of tool calls. Throws TemplateError when it does not parse.
  ChatTemplate(const std::string& source, ChatModel model, const Limits& limits = {});

  /// The prompt in pieces: from the template (special tokens are meant), or from a message, a tool or `extra`
  /// (nothing in it is a special token). Well-known roles count as the template's: some build special tokens
  /// from them. Throws TemplateError; raise_exception() of the template is one of kind raised.
  std::vector<Segment> render(const ChatRequest& request, const std::tm& now) const;

  /// What the probes found: contents as lists of parts only; arguments of tool calls as objects, not JSON
  /// text.
  bool wants_parts() const { return wants_parts_; }
  bool wants_object_arguments() const { return wants_object_arguments_; }

 private:
  RenderOptions options(const std::tm& now) const;
  std::optional<std::string> probe(nlohmann::ordered_json messages) const;
  nlohmann::ordered_json prepared(nlohmann::ordered_json messages) const;

  Template template_;
  ChatModel model_;
  Limits limits_;
  bool wants_parts_ = false, reads_strings_ = true, wants_object_arguments_ = false;
};

/// A template for models that bring none. `warning` is to be shown to the user.
struct FallbackTemplate {
  std::string_view name, source, warning;
};
/// The fallback of that name ("chatml"), or null.
const FallbackTemplate* find_fallback_template(std::string_view name);

/// Text of all segments.
std::string joined(const std::vector<Segment>& segments);

}  // namespace assay::jinja
