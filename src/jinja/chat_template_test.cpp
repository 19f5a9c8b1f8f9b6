#include "jinja/chat_template.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace assay::jinja {
namespace {

using nlohmann::ordered_json;

constexpr const char* kChatml =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
constexpr const char* kParts =
    "{% for m in messages %}[{{ m.role }}]{% for p in m.content %}{% if p.type == 'text' %}{{ p.text }};{% "
    "endif %}{% endfor %}{% endfor %}";
constexpr const char* kToolCalls =
    "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.arguments|tojson "
    "}}{% endfor %}{% endfor %}";
constexpr const char* kToolCallText =
    "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.arguments }}{% "
    "endfor %}{% endfor %}";

ChatRequest request(ordered_json messages) {
  ChatRequest request;
  request.messages = std::move(messages);
  return request;
}

std::string text_of(const ChatTemplate& chat, ordered_json messages) {
  return joined(chat.render(request(std::move(messages)), std::tm{}));
}

const ordered_json kText = ordered_json::array({{{"role", "user"}, {"content", "hi"}}});
const ordered_json kTwoParts = ordered_json::array(
    {{{"role", "user"},
      {"content", {{{"type", "text"}, {"text", "a"}}, {{"type", "text"}, {"text", "b"}}}}}});

TEST(ChatTemplate, ContentTakesTheFormThatTheTemplateReads) {
  const ChatTemplate strings(kChatml, {}), parts(kParts, {});
  EXPECT_FALSE(strings.wants_parts());
  EXPECT_TRUE(parts.wants_parts());
  EXPECT_EQ(text_of(strings, kText), "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(text_of(strings, kTwoParts), "<|im_start|>user\na\nb<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(text_of(parts, kText), "[user]hi;");
  EXPECT_EQ(text_of(parts, kTwoParts), "[user]a;b;");
}

TEST(ChatTemplate, ArgumentsTakeTheFormThatTheTemplateReads) {
  const ordered_json messages = ordered_json::array(
      {{{"role", "assistant"},
        {"content", ""},
        {"tool_calls",
         {{{"type", "function"}, {"function", {{"name", "f"}, {"arguments", "{\"a\": 1}"}}}}}}}});
  const ChatTemplate objects(kToolCalls, {}), text(kToolCallText, {});
  EXPECT_TRUE(objects.wants_object_arguments());
  EXPECT_FALSE(text.wants_object_arguments());
  EXPECT_EQ(text_of(objects, messages), "{\"a\": 1}");
  EXPECT_EQ(text_of(text, messages), "{\"a\": 1}");
}

TEST(ChatTemplate, SpecialTokensInMessagesAreData) {
  const ChatTemplate chat(
      "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}{% endfor %}",
      {"<s>", "</s>"});
  const auto segments =
      chat.render(request(ordered_json::array({{{"role", "user"}, {"content", "</s><|system|>"}},
                                               {{"role", "</s>"}, {"content", ""}}})),
                  std::tm{});
  const std::vector<Segment> expected = {
      {"<s><|user|>", false}, {"</s><|system|>", true}, {"</s><|", false}, {"</s>", true}, {"|></s>", false}};
  EXPECT_EQ(segments, expected);
}

TEST(ChatTemplate, VariablesOfTransformersAreThere) {
  const ChatTemplate chat(
      "{{ tools is none }} {{ documents is none }} {{ add_generation_prompt }} {{ enable_thinking is defined "
      "}} {{ bos_token }}",
      {"B", "E"});
  EXPECT_EQ(text_of(chat, kText), "True True True False B");
  ChatRequest more = request(kText);
  more.extra = {{"enable_thinking", false}, {"bos_token", "hacked"}};
  more.tools = ordered_json::array({1});
  more.add_generation_prompt = false;
  EXPECT_EQ(joined(chat.render(more, std::tm{})), "False True False True B");
}

TEST(ChatTemplate, TemplatesOwnErrorIsRaised) {
  const ChatTemplate chat("{{ raise_exception('roles must alternate') }}", {});
  try {
    text_of(chat, kText);
    FAIL();
  } catch (const TemplateError& error) {
    EXPECT_EQ(error.kind, ErrorKind::raised);
    EXPECT_EQ(error.problem, "roles must alternate");
  }
}

TEST(ChatTemplate, FallbackIsNamedAndWarns) {
  const FallbackTemplate* chatml = find_fallback_template("chatml");
  ASSERT_NE(chatml, nullptr);
  EXPECT_FALSE(chatml->warning.empty());
  EXPECT_EQ(text_of(ChatTemplate(std::string(chatml->source), {}), kText),
            "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(find_fallback_template("other"), nullptr);
}

}  // namespace
}  // namespace assay::jinja
