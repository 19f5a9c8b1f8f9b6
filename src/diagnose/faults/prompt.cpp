// Faults of chat templates and prompt assembly.
#include <algorithm>

#include "base/load_error.h"
#include "diagnose/faults/fault.h"
#include "diagnose/faults/source.h"

namespace assay {
namespace {

using Json = nlohmann::ordered_json;
using Prompt = std::optional<PromptText>;

// Templates that engines have had hard-coded, written for this file after the formats' own documentation.
constexpr char kChatMl[] =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
constexpr char kLlama2[] =
    "{% for m in messages %}{% if m.role == 'system' %}[INST] <<SYS>>\n{{ m.content }}\n<</SYS>>\n\n"
    "{% elif m.role == 'user' %}{% if loop.first or loop.previtem.role != 'system' %}[INST] {% endif %}"
    "{{ m.content }} [/INST]{% else %} {{ m.content }} </s>{% endif %}{% endfor %}";
constexpr char kLlama3[] =
    "{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content }}<|eot_id|>{% "
    "endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}";
constexpr char kAlpaca[] =
    "{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}\n\n{% elif m.role == 'user' %}### "
    "Instruction:\n"
    "{{ m.content }}\n\n{% else %}### Response:\n{{ m.content }}\n\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}### Response:\n{% endif %}";
constexpr char kUserAssistant[] =
    "{% for m in messages %}{{ m.role | capitalize }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}";

Json one_message(const std::string& text) {
  return {{"messages", {{{"role", "user"}, {"content", text}}}}};
}

/// What `write` gives; nothing when the template does not take the conversation, or when that is the right
/// prompt anyway.
template <class Write>
Prompt unless_right(const GgufFile& file, const Tokenizer& t, const PromptSource& source,
                    const Write& write) {
  try {
    PromptText wrong = write();
    if (!source.chat.is_null() && file.metadata().contains("tokenizer.chat_template") &&
        wrong.text() == write_prompt(file, t, source).text())
      return std::nullopt;
    return wrong;
  } catch (const UsageError&) {
    return std::nullopt;
  }
}

/// The conversation by another family's template.
template <const char* kTemplate>
Prompt foreign_template(const GgufFile& file, const Tokenizer& t, const PromptSource& source) {
  if (source.chat.is_null()) return std::nullopt;
  return unless_right(file, t, source, [&] { return write_prompt_by(kTemplate, t, source.chat); });
}

/// A text to be continued, written as a message of a conversation. What wraps it hands one string on, in
/// which special tokens are parsed everywhere.
PromptText as_one_string(PromptText prompt) {
  for (PromptText::Part& part : prompt.parts) part.parse_special = true;
  return prompt;
}
template <const char* kTemplate>
Prompt wrapped(const GgufFile& file, const Tokenizer& t, const PromptSource& source) {
  if (!source.chat.is_null()) return std::nullopt;
  return unless_right(file, t, source,
                      [&] { return as_one_string(write_prompt_by(kTemplate, t, one_message(source.text))); });
}
Prompt wrapped_by_own(const GgufFile& file, const Tokenizer& t, const PromptSource& source) {
  if (!source.chat.is_null() || !file.metadata().contains("tokenizer.chat_template")) return std::nullopt;
  return unless_right(file, t, source, [&] {
    return as_one_string(write_prompt(file, t, {.text = {}, .chat = one_message(source.text)}));
  });
}

/// Some change of the conversation, by the right template. `kChange` returns whether it found something.
template <bool (*kChange)(Json& chat)>
Prompt changed_chat(const GgufFile& file, const Tokenizer& t, const PromptSource& source) {
  if (source.chat.is_null()) return std::nullopt;
  PromptSource changed{.text = {}, .chat = source.chat};
  if (!kChange(changed.chat)) return std::nullopt;
  return unless_right(file, t, source, [&] { return write_prompt(file, t, changed); });
}

/// Some change of the right prompt of a conversation. `kChange` returns whether it found something.
template <bool (*kChange)(PromptText& prompt)>
Prompt changed_prompt(const GgufFile& file, const Tokenizer& t, const PromptSource& source) {
  if (source.chat.is_null()) return std::nullopt;
  PromptText prompt = write_prompt(file, t, source);
  return kChange(prompt) ? Prompt(std::move(prompt)) : std::nullopt;
}

bool has_role(const Json& message, std::string_view role) {
  return message["role"] == role;
}
bool is_text(const Json& message) {
  return message.contains("content") && message["content"].is_string();
}

Prompt no_template(const GgufFile&, const Tokenizer&, const PromptSource& source) {
  if (source.chat.is_null()) return std::nullopt;
  PromptText prompt{.parts = {}, .chat = true};
  for (const Json& message : source.chat["messages"]) {
    if (!is_text(message)) continue;
    if (!prompt.parts.empty()) prompt.parts.push_back({"\n", false});
    prompt.parts.push_back({message["content"].get<std::string>(), false});
  }
  return prompt;
}

Prompt twice(const GgufFile& file, const Tokenizer& t, const PromptSource& source) {
  if (source.chat.is_null()) return std::nullopt;
  return unless_right(file, t, source, [&] {
    // The first rendering is the second one's data, and the engine parses special tokens in all of it.
    const std::string once = write_prompt(file, t, source).text();
    return as_one_string(write_prompt(file, t, {.text = {}, .chat = one_message(once)}));
  });
}

bool drop_generation_prompt(Json& chat) {
  if (chat.contains("add_generation_prompt") && chat["add_generation_prompt"] == false) return false;
  chat["add_generation_prompt"] = false;
  return true;
}

template <class Drop>
bool drop_messages(Json& chat, const Drop& drop) {
  Json kept = Json::array();
  for (const Json& message : chat["messages"])
    if (!drop(message)) kept.push_back(message);
  const bool found = kept.size() < chat["messages"].size();
  chat["messages"] = std::move(kept);
  return found;
}
bool drop_system(Json& chat) {
  return drop_messages(chat, [](const Json& m) { return has_role(m, "system") || has_role(m, "developer"); });
}
bool drop_history(Json& chat) {
  const Json* last = chat["messages"].empty() ? nullptr : &chat["messages"].back();
  return drop_messages(chat, [&](const Json& m) { return &m != last && !has_role(m, "system"); });
}
bool drop_answers(Json& chat) {
  return drop_messages(chat, [](const Json& m) { return has_role(m, "assistant"); });
}
bool reverse_messages(Json& chat) {
  std::reverse(chat["messages"].begin(), chat["messages"].end());
  return chat["messages"].size() > 1;
}
bool system_as_user(Json& chat) {
  bool found = false;
  for (Json& message : chat["messages"])
    if (has_role(message, "system")) message["role"] = "user", found = true;
  return found;
}
bool system_into_user(Json& chat) {
  Json& messages = chat["messages"];
  if (messages.size() < 2 || !has_role(messages[0], "system") || !is_text(messages[0]) ||
      !is_text(messages[1]))
    return false;
  messages[1]["content"] =
      messages[0]["content"].get<std::string>() + "\n\n" + messages[1]["content"].get<std::string>();
  messages.erase(0);
  return true;
}
bool system_invented(Json& chat) {
  Json& messages = chat["messages"];
  if (!messages.empty() && has_role(messages[0], "system")) return false;
  messages.insert(messages.begin(), {{"role", "system"}, {"content", "You are a helpful assistant."}});
  return true;
}
bool rename_roles(Json& chat) {
  bool found = false;
  for (Json& message : chat["messages"])
    if (has_role(message, "user"))
      message["role"] = "human", found = true;
    else if (has_role(message, "assistant"))
      message["role"] = "bot", found = true;
  return found;
}
bool exchange_roles(Json& chat) {
  bool found = false;
  for (Json& message : chat["messages"])
    if (has_role(message, "user"))
      message["role"] = "assistant", found = true;
    else if (has_role(message, "assistant"))
      message["role"] = "user", found = true;
  return found;
}
bool trim_contents(Json& chat) {
  bool found = false;
  for (Json& message : chat["messages"]) {
    if (!is_text(message)) continue;
    constexpr const char* kWhiteSpace = " \t\r\n";
    std::string text = message["content"];
    const size_t before = text.size();
    text.resize(text.find_last_not_of(kWhiteSpace) + 1);
    text.erase(0, std::min(text.find_first_not_of(kWhiteSpace), text.size()));
    found = found || text.size() != before;
    message["content"] = text;
  }
  return found;
}

bool drop_template_newlines(PromptText& prompt) {
  size_t n_dropped = 0;
  for (PromptText::Part& part : prompt.parts)
    if (part.parse_special) n_dropped += std::erase(part.text, '\n');
  return n_dropped > 0;
}
bool drop_newline_after_turn(PromptText& prompt) {
  // Between turns: a newline of the template that comes straight after a mark, >, of its own and before
  // another.
  bool found = false;
  for (PromptText::Part& part : prompt.parts)
    if (part.parse_special)
      for (size_t at; (at = part.text.find(">\n<")) != std::string::npos; found = true)
        part.text.erase(at + 1, 1);
  return found;
}
bool newline_behind(PromptText& prompt) {
  prompt.parts.push_back({"\n", true});
  return true;
}
bool space_behind(PromptText& prompt) {
  prompt.parts.push_back({" ", true});
  return true;
}

constexpr Fault kFaults[] = {
    {.id = "template-missing",
     .family = FaultFamily::prompt,
     .change = "The messages are joined by newlines and sent without a template.",
     .affects = "chat models",
     .symptom = "the model continues the text instead of answering, and does not stop",
     .mend = "Render tokenizer.chat_template with the messages.",
     .source = "github.com/ggml-org/llama.cpp/issues/15110",
     .injection = PromptFault{no_template}},
    {.id = "template-chatml",
     .family = FaultFamily::prompt,
     .change = "Every conversation is written in ChatML (<|im_start|>), this model has another template.",
     .affects = "chat models of other families",
     .symptom = "roles are ignored; <|im_end|> appears in answers",
     .mend = "Render tokenizer.chat_template instead of a hard-coded one.",
     .source = "github.com/ggml-org/llama.cpp/issues/7062",
     .injection = PromptFault{foreign_template<kChatMl>}},
    {.id = "template-llama-2",
     .family = FaultFamily::prompt,
     .change =
         "Every conversation is written as Llama 2's ([INST] ... [/INST]), this model has another template.",
     .affects = "chat models of other families",
     .symptom = "roles are ignored; [/INST] appears in answers",
     .mend = "Render tokenizer.chat_template instead of a hard-coded one.",
     .source = "github.com/pie-project/pie/issues/389",
     .injection = PromptFault{foreign_template<kLlama2>}},
    {.id = "template-llama-3",
     .family = FaultFamily::prompt,
     .change =
         "Every conversation is written as Llama 3's (<|start_header_id|>), this model has another template.",
     .affects = "chat models of other families",
     .symptom = "roles are ignored; <|eot_id|> appears in answers",
     .mend = "Render tokenizer.chat_template instead of a hard-coded one.",
     .source = "github.com/ggml-org/llama.cpp/issues/7062",
     .injection = PromptFault{foreign_template<kLlama3>}},
    {.id = "template-alpaca",
     .family = FaultFamily::prompt,
     .change =
         "Every conversation is written as Alpaca's (### Instruction:), this model has another template.",
     .affects = "chat models of other families",
     .symptom = "roles are ignored; ### appears in answers",
     .mend = "Render tokenizer.chat_template instead of a hard-coded one.",
     .source = "github.com/pie-project/pie/issues/389",
     .injection = PromptFault{foreign_template<kAlpaca>}},
    {.id = "template-user-assistant",
     .family = FaultFamily::prompt,
     .change = "Every conversation is written as \"User: ... Assistant:\", this model has another template.",
     .affects = "chat models",
     .symptom = "the model plays both roles",
     .mend = "Render tokenizer.chat_template instead of a hard-coded one.",
     .source = "github.com/ggml-org/llama.cpp/issues/15110",
     .injection = PromptFault{foreign_template<kUserAssistant>}},
    {.id = "template-twice",
     .family = FaultFamily::prompt,
     .change = "A prompt that was rendered already is rendered again, as the content of a user's message.",
     .affects = "chat models behind two layers that both apply the template",
     .symptom = "more than twice the expected tokens; role marks once too often",
     .mend = "Apply the template in one place.",
     .source = "github.com/paiml/aprender/issues/3807",
     .injection = PromptFault{twice}},
    {.id = "prompt-wrapped-by-own-template",
     .family = FaultFamily::prompt,
     .change = "A text to be continued is wrapped in the model's own chat template.",
     .affects = "completions on chat models",
     .symptom = "an answer about the text instead of its continuation; 49 tokens for 18",
     .mend = "Apply the template to chats only, not to raw completions.",
     .source = "github.com/paiml/aprender/issues/1623",
     .injection = PromptFault{wrapped_by_own}},
    {.id = "prompt-wrapped-in-chatml",
     .family = FaultFamily::prompt,
     .change = "A text to be continued is wrapped in ChatML (<|im_start|>user ... <|im_start|>assistant).",
     .affects = "completions; base models taken for chat models",
     .symptom = "off-topic: a base model never saw these marks",
     .mend = "Send the text as it is.",
     .source = "github.com/paiml/aprender/issues/1623",
     .injection = PromptFault{wrapped<kChatMl>}},
    {.id = "prompt-wrapped-in-inst",
     .family = FaultFamily::prompt,
     .change = "A text to be continued is wrapped in [INST] ... [/INST].",
     .affects = "completions; base models taken for chat models",
     .symptom = "off-topic: a base model never saw these marks",
     .mend = "Send the text as it is.",
     .source = kFromTheFormat,
     .injection = PromptFault{wrapped<kLlama2>}},
    {.id = "prompt-wrapped-as-llama-3",
     .family = FaultFamily::prompt,
     .change = "A text to be continued is wrapped in Llama 3's header marks.",
     .affects = "completions; base models taken for chat models",
     .symptom = "off-topic: a base model never saw these marks",
     .mend = "Send the text as it is.",
     .source = kFromTheFormat,
     .injection = PromptFault{wrapped<kLlama3>}},
    {.id = "prompt-wrapped-as-alpaca",
     .family = FaultFamily::prompt,
     .change = "A text to be continued is wrapped in \"### Instruction:\" and \"### Response:\".",
     .affects = "completions; base models taken for chat models",
     .symptom = "an answer about the text instead of its continuation",
     .mend = "Send the text as it is.",
     .source = kFromTheFormat,
     .injection = PromptFault{wrapped<kAlpaca>}},
    {.id = "prompt-wrapped-as-dialogue",
     .family = FaultFamily::prompt,
     .change = "A text to be continued is wrapped in \"User: ... Assistant:\".",
     .affects = "completions; base models taken for chat models",
     .symptom = "an answer about the text instead of its continuation",
     .mend = "Send the text as it is.",
     .source = kFromTheFormat,
     .injection = PromptFault{wrapped<kUserAssistant>}},
    {.id = "generation-prompt-missing",
     .family = FaultFamily::prompt,
     .change = "The prompt does not begin the assistant's turn (add_generation_prompt is false).",
     .affects = "chat models",
     .symptom = "the model writes the role itself, or goes on as the user",
     .mend = "Render with add_generation_prompt = true.",
     .source = kFromTheFormat,
     .injection = PromptFault{changed_chat<drop_generation_prompt>}},
    {.id = "system-dropped",
     .family = FaultFamily::prompt,
     .change = "The system message is left out.",
     .affects = "chat models",
     .symptom = "instructions are not followed",
     .mend = "Pass every message to the template.",
     .source = "github.com/ollama/ollama/issues/6648",
     .injection = PromptFault{changed_chat<drop_system>}},
    {.id = "system-as-user",
     .family = FaultFamily::prompt,
     .change = "The system message is sent with the user's role.",
     .affects = "chat models with a system role",
     .symptom = "instructions are answered instead of followed",
     .mend = "Keep the role; templates that have none say so themselves.",
     .source = kFromTheFormat,
     .injection = PromptFault{changed_chat<system_as_user>}},
    {.id = "system-in-user-message",
     .family = FaultFamily::prompt,
     .change = "The system message is put in front of the first user message.",
     .affects = "chat models with a system role",
     .symptom = "instructions weigh less",
     .mend = "Keep the message; templates that have no system role merge it themselves.",
     .source = kFromTheFormat,
     .injection = PromptFault{changed_chat<system_into_user>}},
    {.id = "system-invented",
     .family = FaultFamily::prompt,
     .change = "A system message is added that nobody wrote: \"You are a helpful assistant.\"",
     .affects = "chat models whose template adds none",
     .symptom = "tone changes; more prompt tokens than expected",
     .mend = "Add only what the template adds.",
     .source = kFromTheFormat,
     .injection = PromptFault{changed_chat<system_invented>}},
    {.id = "history-dropped",
     .family = FaultFamily::prompt,
     .change = "Only the last message is sent (and the system's): earlier turns are left out.",
     .affects = "chat models",
     .symptom = "the model forgets what was said before",
     .mend = "Send the whole conversation with every request.",
     .source = kFromTheFormat,
     .injection = PromptFault{changed_chat<drop_history>}},
    {.id = "answers-dropped",
     .family = FaultFamily::prompt,
     .change = "The assistant's earlier turns are left out.",
     .affects = "chat models",
     .symptom = "the model repeats its answers",
     .mend = "Keep the assistant's messages in the conversation.",
     .source = kFromTheFormat,
     .injection = PromptFault{changed_chat<drop_answers>}},
    {.id = "messages-reversed",
     .family = FaultFamily::prompt,
     .change = "The messages come in reverse order.",
     .affects = "chat models",
     .symptom = "answers the first question again",
     .mend = "Oldest message first.",
     .source = kFromTheFormat,
     .injection = PromptFault{changed_chat<reverse_messages>}},
    {.id = "roles-renamed",
     .family = FaultFamily::prompt,
     .change = "Roles have other names (human, bot); the template knows user and assistant.",
     .affects = "templates that write the role as it comes",
     .symptom = "the model does not take its turn",
     .mend = "Use the names system, user, assistant, tool.",
     .source = kFromTheFormat,
     .injection = PromptFault{changed_chat<rename_roles>}},
    {.id = "roles-exchanged",
     .family = FaultFamily::prompt,
     .change = "The user's messages are sent as the assistant's, and the other way round.",
     .affects = "chat models",
     .symptom = "the model asks instead of answering",
     .mend = "Check the alternation: the last message is the user's.",
     .source = kFromTheFormat,
     .injection = PromptFault{changed_chat<exchange_roles>}},
    {.id = "contents-trimmed",
     .family = FaultFamily::prompt,
     .change = "White space around message contents is stripped; this template keeps it.",
     .affects = "templates without | trim",
     .symptom = "code blocks lose their first indentation",
     .mend = "Leave contents alone; templates that trim do it themselves.",
     .source = kFromTheFormat,
     .injection = PromptFault{changed_chat<trim_contents>}},
    {.id = "template-newlines-lost",
     .family = FaultFamily::prompt,
     .change = "The newlines of the template are lost, as when it is read line by line.",
     .affects = "templates that write newlines: ChatML, Llama 3, Gemma",
     .symptom = "the model does not recognize the roles",
     .mend = "Keep the template's text as it is; trim_blocks removes only the newline after a block.",
     .source = "github.com/ggml-org/llama.cpp/commit/d7e852c1b",
     .injection = PromptFault{changed_prompt<drop_template_newlines>}},
    {.id = "template-newline-between-turns-lost",
     .family = FaultFamily::prompt,
     .change = "The newline after a turn's end mark is lost.",
     .affects = "ChatML, Gemma and others that write one",
     .symptom = "slightly worse in long conversations",
     .mend = "Write the newline after <|im_end|> that the template has.",
     .source = kFromTheFormat,
     .injection = PromptFault{changed_prompt<drop_newline_after_turn>}},
    {.id = "prompt-newline-appended",
     .family = FaultFamily::prompt,
     .change = "A newline is appended to the prompt.",
     .affects = "chat models",
     .symptom = "the answer begins oddly: its first token was meant to be another",
     .mend = "End the prompt where the template ends it.",
     .source = "github.com/ggml-org/llama.cpp/issues/7062",
     .injection = PromptFault{changed_prompt<newline_behind>}},
    {.id = "prompt-space-appended",
     .family = FaultFamily::prompt,
     .change = "A space is appended to the prompt.",
     .affects = "chat models",
     .symptom = "the first word lacks its own space token; answers begin mid-word",
     .mend = "End the prompt where the template ends it.",
     .source = kFromTheFormat,
     .injection = PromptFault{changed_prompt<space_behind>}},
};

}  // namespace

extern const std::span<const Fault> faults_prompt;
const std::span<const Fault> faults_prompt = kFaults;

}  // namespace assay
