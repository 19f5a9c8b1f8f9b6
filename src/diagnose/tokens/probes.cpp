#include "diagnose/tokens/probes.h"

#include <algorithm>

#include "base/load_error.h"
#include "tokenizer/utf8.h"

namespace assay {
namespace {

constexpr const char* kTexts[] = {
    "Hello world",
    "a\nb",
    " a",
    "a ",
    "x\n",
    "a  b",
    "a   b\n\n\nc\td",
    "a\r\nb",
    "1234567 + 89 = 12.5%",
    "It's, I'LL and we'Ve!?",
    "The QUICK brown Fox",
    "café e\xCC\x81t\xC3\xA9 naïve Ünïcödé",  // one é composed, one not
    "x² ﬁne Ａ①",
    "你好，世界",
    "Привет, мир",
    "🙂 ok 👩‍🚀",
    "unbelievably antidisestablishmentarianism",
    "for (i=0; i<10; ++i) {\n\ta[i] += 2;\n    }\n",
    "Once upon a time there was a princess who lived in a castle.\nShe said: \"It's 1999!\"  And then...\n\n",
};

constexpr size_t kLongestSpecial = 40;

nlohmann::ordered_json message(const char* role, const char* content) {
  return {{"role", role}, {"content", content}};
}

}  // namespace

std::vector<PromptSource> probe_texts(const Tokenizer& tokenizer) {
  std::vector<PromptSource> texts;
  for (const char* text : kTexts) texts.push_back({text, nullptr});
  const Vocabulary& v = tokenizer.vocabulary();
  // One token of each kind, among ordinary words and newlines.
  for (const uint8_t flag : {kControl, kUserDefined}) {
    std::string names;
    int n = 0;
    for (int32_t id = v.n_tokens(); id-- > 0 && n < 2;) {
      const std::string_view name = v.tokens[size_t(id)].text;
      const bool usable = v.has(id, flag) && !v.has(id, kUnused) && name.size() <= kLongestSpecial &&
                          find_invalid_utf8(name) == std::string_view::npos;
      if (!usable) continue;
      names.append(n == 0 ? "" : "\n b").append(name);
      ++n;
    }
    if (n == 0) continue;
    texts.push_back({"a " + names + "\nc d", nullptr});
    texts.push_back({names + " e", nullptr});
  }
  return texts;
}

std::vector<PromptSource> probe_conversations() {
  using Json = nlohmann::ordered_json;
  const auto talk = [](Json messages) { return PromptSource{{}, {{"messages", std::move(messages)}}}; };
  return {
      talk(Json::array({message("user", "Hi")})),
      talk(Json::array({message("user", " a\n</s><|im_end|> ")})),
      talk(Json::array({message("system", "Be brief."), message("user", "Hi")})),
      talk(Json::array({message("user", "One"), message("assistant", "Two"), message("user", "Three")})),
      talk(Json::array({message("system", "Be brief."), message("user", "One"), message("assistant", "Two"),
                        message("user", "Three")})),
  };
}

std::string shown(std::string_view text, size_t max_bytes) {
  std::string out;
  const std::string safe = printable(text, max_bytes);
  for (size_t i = 0; i < safe.size(); ++i) {
    const std::string_view rest = std::string_view(safe).substr(i);
    const std::pair<std::string_view, std::string_view> kShort[] = {
        {"\\x0A", "\\n"}, {"\\x09", "\\t"}, {"\\x0D", "\\r"}};
    const auto* found = std::find_if(std::begin(kShort), std::end(kShort),
                                     [&](const auto& pair) { return rest.starts_with(pair.first); });
    if (found == std::end(kShort)) {
      out += safe[i];
    } else {
      out += found->second;
      i += found->first.size() - 1;
    }
  }
  return out;
}

std::string shown(const PromptSource& source) {
  if (source.chat.is_null()) return "\"" + shown(source.text) + "\"";
  return "messages " + printable(source.chat["messages"].dump(
                                     -1, ' ', false, nlohmann::ordered_json::error_handler_t::replace),
                                 1000);
}

}  // namespace assay
