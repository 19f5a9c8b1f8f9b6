#include "jinja/chat_template.h"

#include <array>
#include <utility>

namespace assay::jinja {
namespace {

using nlohmann::ordered_json;

// Roles that templates put into special tokens or headers.
const std::set<std::string> kRoles = {"system",    "user",        "assistant", "tool",
                                      "developer", "function",    "model",     "ipython",
                                      "tool_call", "tool_result", "context",   "documents"};

constexpr std::string_view kNeedle = "needle 4711";

constexpr std::array kFallbacks = {
    FallbackTemplate{
        "chatml",
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% "
        "endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        "the model has no chat template; ChatML is used, which the model may not have been trained on"},
};

bool is_text_part(const ordered_json& part) {
  return part.is_object() && part.value("type", ordered_json()) == "text" && part.contains("text") &&
         part["text"].is_string();
}

/// Texts of a list of parts, one a line; nullopt when a part is not text.
std::optional<std::string> joined_parts(const ordered_json& parts) {
  std::string text;
  for (const ordered_json& part : parts) {
    if (!is_text_part(part)) return std::nullopt;
    if (&part != &parts.front()) text += "\n";
    text += part["text"].get<std::string>();
  }
  return text;
}

ordered_json parts_of(const std::string& text) {
  return ordered_json::array({{{"type", "text"}, {"text", text}}});
}

/// JSON text of an object in `arguments` replaced by the object.
void parse_arguments(ordered_json& message) {
  if (!message.contains("tool_calls") || !message["tool_calls"].is_array()) return;
  for (ordered_json& call : message["tool_calls"]) {
    if (!call.is_object()) continue;
    ordered_json& function =
        call.contains("function") && call["function"].is_object() ? call["function"] : call;
    if (!function.contains("arguments") || !function["arguments"].is_string()) continue;
    ordered_json object = ordered_json::parse(function["arguments"].get<std::string>(), nullptr, false);
    if (object.is_object()) function["arguments"] = std::move(object);
  }
}

ordered_json tool_call_messages(ordered_json arguments) {
  const ordered_json call = {{"id", "call00000"},
                             {"type", "function"},
                             {"function", {{"name", "probe"}, {"arguments", std::move(arguments)}}}};
  return ordered_json::array(
      {{{"role", "user"}, {"content", "hi"}},
       {{"role", "assistant"}, {"content", ""}, {"tool_calls", ordered_json::array({call})}}});
}

}  // namespace

ChatTemplate::ChatTemplate(const std::string& source, ChatModel model, const Limits& limits)
    : template_(Template::parse(source, limits)), model_(std::move(model)), limits_(limits) {
  const auto shows = [](const std::optional<std::string>& text, std::string_view what) {
    return text && text->find(what) != std::string::npos;
  };
  const std::string needle(kNeedle);
  reads_strings_ = shows(probe(ordered_json::array({{{"role", "user"}, {"content", needle}}})), needle);
  const auto with_parts = probe(ordered_json::array({{{"role", "user"}, {"content", parts_of(needle)}}}));
  // A template that knows no parts prints their repr: the needle then stands in quotes.
  wants_parts_ = shows(with_parts, needle) && !shows(with_parts, "'" + needle + "'");
  const ordered_json object = {{"key", needle}};
  const bool shows_object = shows(probe(tool_call_messages(object)), needle);
  const auto as_text = probe(tool_call_messages(object.dump()));
  const std::string escaped = "\\\"" + needle;  // the text was written as a JSON string
  wants_object_arguments_ = shows_object && (!shows(as_text, needle) || shows(as_text, escaped));
}

RenderOptions ChatTemplate::options(const std::tm& now) const {
  RenderOptions options;
  options.limits = limits_;
  options.now = now;
  options.trusted_variables = {{"bos_token", model_.bos_token}, {"eos_token", model_.eos_token}};
  options.trusted_words = kRoles;
  return options;
}

/// What the template makes of `messages`; nullopt when it fails.
std::optional<std::string> ChatTemplate::probe(ordered_json messages) const {
  const ordered_json context = {{"messages", std::move(messages)},
                                {"tools", nullptr},
                                {"documents", nullptr},
                                {"add_generation_prompt", false}};
  try {
    return template_.render(context, options(std::tm{}));
  } catch (const TemplateError&) {
    return std::nullopt;
  }
}

ordered_json ChatTemplate::prepared(ordered_json messages) const {
  for (ordered_json& message : messages) {
    if (!message.is_object()) continue;
    if (wants_object_arguments_) parse_arguments(message);
    if (!message.contains("content")) continue;
    ordered_json& content = message["content"];
    if (content.is_array() && !wants_parts_) {
      if (const auto text = joined_parts(content)) content = *text;
    } else if (content.is_string() && !reads_strings_ && wants_parts_) {
      content = parts_of(content.get<std::string>());
    }
  }
  return messages;
}

std::vector<Segment> ChatTemplate::render(const ChatRequest& request, const std::tm& now) const {
  ordered_json context = request.extra.is_object() ? request.extra : ordered_json::object();
  context["messages"] = prepared(request.messages);
  context["tools"] = request.tools;
  if (!context.contains("documents")) context["documents"] = nullptr;
  context["add_generation_prompt"] = request.add_generation_prompt;
  return template_.render_segments(context, options(now));
}

const FallbackTemplate* find_fallback_template(std::string_view name) {
  for (const FallbackTemplate& fallback : kFallbacks)
    if (fallback.name == name) return &fallback;
  return nullptr;
}

std::string joined(const std::vector<Segment>& segments) {
  std::string text;
  for (const Segment& segment : segments) text += segment.text;
  return text;
}

}  // namespace assay::jinja
