// Checks of the tokenizer and of the chat template.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "diagnose/check/check.h"
#include "runtime/chat_prompt.h"
#include "tokenizer/utf8.h"

namespace assay {
namespace {

using enum CheckStatus;

std::string token_text(const Vocabulary& v, int32_t id) {
  return fmt::format("{} \"{}\"", id, printable(v.tokens[size_t(id)].text, 40));
}

CheckResult run_vocabulary(const CheckSubject& s) {
  CheckResult result;
  if (!s.tokenizer) {
    result.say(fault, s.tokenizer_error);
    return result;
  }
  const Vocabulary& v = s.tokenizer->vocabulary();
  result.say(ok, fmt::format("{} tokens, no two alike", v.n_tokens()));
  for (const std::string& text : v.warnings) result.say(warning, text);
  if (s.model) {
    const size_t n_rows = s.model->hparams().vocab_size, n_tokens = size_t(v.n_tokens());
    if (n_rows < n_tokens)
      result.say(fault, fmt::format("{} tokens, and embeddings of {}", n_tokens, n_rows));
    if (n_rows > n_tokens)
      result.say(warning, fmt::format("{} rows of the embeddings belong to no token", n_rows - n_tokens));
  }
  // Text must come back from its tokens.
  constexpr std::string_view kText =
      "Once upon a time, 3 of 1024 cats' na\xC3\xAFve caf\xC3\xA9s \xE2\x82\xAC\xF0\x9F\x98\x80\n\tended.";
  try {
    const std::string back =
        s.tokenizer->decode(s.tokenizer->encode(kText, {.add_bos = false, .add_eos = false}));
    if (back != kText && v.kind != TokenizerKind::wordpiece)
      result.say(warning, fmt::format("a text comes back from its tokens as \"{}\"", printable(back)));
  } catch (const UsageError& error) {
    result.say(warning, error.what());
  }
  return result;
}

/// Of the tokens, those that `cut` would split: no text gives them. At most kSampled, spread over the
/// vocabulary.
struct Reach {
  size_t n_seen = 0, n_split = 0;
};
Reach reach_of(const Vocabulary& v, const Tokenizer& tokenizer, const PreTokenizer& pre) {
  constexpr size_t kSampled = 4000;
  const Splitter splitter(pre);
  Reach reach;
  const size_t stride = std::max<size_t>(1, v.tokens.size() / kSampled);
  for (size_t id = 0; id < v.tokens.size(); id += stride) {
    if (!(v.tokens[id].flags & kNormal)) continue;
    const std::string_view text = tokenizer.piece(int32_t(id));
    if (text.empty() || find_invalid_utf8(text) != std::string_view::npos) continue;
    ++reach.n_seen;
    reach.n_split += splitter.split(text).size() > 1;
  }
  return reach;
}

CheckResult run_pretokenizer(const CheckSubject& s) {
  if (!s.tokenizer) return CheckResult::skip("the tokenizer does not load");
  const Vocabulary& v = s.tokenizer->vocabulary();
  if (v.kind != TokenizerKind::bpe || !v.pretokenizer)
    return CheckResult::skip("its kind of tokenizer has none");
  CheckResult result;
  const auto named = s.file->metadata().find_string("tokenizer.ggml.pre");
  if (!named)
    result.say(warning, "tokenizer.ggml.pre is missing: readers guess");
  else if (*named == "default")
    result.say(warning, "tokenizer.ggml.pre is \"default\": the converter did not know the model");
  if (named && !find_pretokenizer(*named))
    result.say(fault, fmt::format("tokenizer.ggml.pre \"{}\" is not known", printable(*named)));
  // The merges were learnt inside the words of one pre-tokenizer, so it splits hardly any token; a wrong one
  // that cuts finer splits some, and no text can give those any more.
  const Reach here = reach_of(v, *s.tokenizer, *v.pretokenizer);
  const double n = double(std::max<size_t>(here.n_seen, 1));
  std::string_view best;
  size_t least = here.n_split;
  for (const PreTokenizer& other : pretokenizers())
    if (const Reach reach = reach_of(v, *s.tokenizer, other); reach.n_split < least) {
      least = reach.n_split;
      best = other.names.substr(0, other.names.find(' '));
    }
  const std::string share =
      fmt::format("{} of {} tokens could not come from any text", here.n_split, here.n_seen);
  // Six standard deviations of a count of `least`, and one in a hundred: special words that no rule keeps are
  // that rare.
  if (double(here.n_split) > double(least) + 6 * std::sqrt(double(least) + 1) &&
      double(here.n_split) > 0.01 * n)
    result.say(fault, fmt::format("\"{}\" splits words that the vocabulary has: {}; with \"{}\" it is {}",
                                  printable(named.value_or("default")), share, best, least));
  else
    result.say(ok, fmt::format("\"{}\": {}", printable(named.value_or("default")), share));
  return result;
}

CheckResult run_special_tokens(const CheckSubject& s) {
  if (!s.tokenizer) return CheckResult::skip("the tokenizer does not load");
  const Vocabulary& v = s.tokenizer->vocabulary();
  CheckResult result;
  const auto see = [&](const char* role, int32_t id, bool wanted) {
    if (id == kNoToken) {
      if (wanted) result.say(warning, fmt::format("it names no {}", role));
      return;
    }
    const Token& token = v.tokens[size_t(id)];
    if (token.flags & (kControl | kUserDefined | kUnknown))
      result.say(ok, fmt::format("{} {}", role, token_text(v, id)));
    else
      result.say(fault, fmt::format("{} {} is an ordinary token", role, token_text(v, id)));
  };
  see("BOS", v.special.bos, v.add_bos);
  see("EOS", v.special.eos, true);
  see("EOT", v.special.eot, false);
  if (v.add_eos) result.say(warning, "add_eos_token is true: every prompt will end with EOS");
  if (v.special.bos != kNoToken && v.special.bos == v.special.eos)
    result.say(warning, "BOS and EOS are one token");
  if (std::none_of(v.ends_generation.begin(), v.ends_generation.end(), [](bool ends) { return ends; }))
    result.say(fault, "no token ends a text");
  return result;
}

nlohmann::ordered_json conversation(bool with_system) {
  nlohmann::ordered_json messages = nlohmann::ordered_json::array();
  if (with_system) messages.push_back({{"role", "system"}, {"content", "Be brief."}});
  messages.push_back({{"role", "user"}, {"content", "Hello"}});
  messages.push_back({{"role", "assistant"}, {"content", "Assay"}});
  return messages;
}

CheckResult run_chat_template(const CheckSubject& s) {
  if (!s.file->metadata().contains("tokenizer.chat_template"))
    return CheckResult::skip("it has none: a base model");
  if (!s.tokenizer) return CheckResult::skip("the tokenizer does not load");
  const Vocabulary& v = s.tokenizer->vocabulary();
  CheckResult result;
  std::tm day{};
  day.tm_mday = 1;
  day.tm_year = 100;
  std::optional<ChatPrompt> prompt;
  try {
    const ChatTemplate chat = ChatTemplate::of_file(*s.file, *s.tokenizer);
    try {
      prompt = chat.render({{"messages", conversation(true)}, {"add_generation_prompt", false}}, day);
      result.say(ok, fmt::format("a conversation of three messages takes {} tokens", prompt->ids.size()));
    } catch (const UsageError& error) {
      prompt = chat.render({{"messages", conversation(false)}, {"add_generation_prompt", false}}, day);
      result.say(warning, std::string("it takes no system message: ") + error.what());
    }
  } catch (const std::runtime_error& error) {
    result.say(fault, error.what());
    return result;
  }
  if (prompt->text.find("Hello") == std::string::npos || prompt->text.find("Assay") == std::string::npos)
    result.say(fault, "what the user or the assistant said is not in what it renders");
  // The control token behind the assistant's words must end generation, else the model talks on.
  std::vector<int32_t>::const_iterator marker = prompt->ids.end();
  std::string said;
  for (auto id = prompt->ids.begin(); id != prompt->ids.end() && marker == prompt->ids.end(); ++id) {
    if (said.find("Assay") != std::string::npos && v.has(*id, kControl | kUserDefined)) marker = id;
    said += s.tokenizer->piece(*id);
  }
  if (marker == prompt->ids.end())
    result.say(warning, "no control token follows what the assistant says: nothing tells the model to stop");
  else if (!s.tokenizer->ends_generation(*marker))
    result.say(
        fault,
        fmt::format(
            "the assistant's turn ends with {}, which does not end generation: it should be EOS or EOT",
            token_text(v, *marker)));
  else
    result.say(ok, fmt::format("the assistant's turn ends with {}", token_text(v, *marker)));
  if (const int32_t bos = v.special.bos;
      bos != kNoToken && std::count(prompt->ids.begin(), prompt->ids.end(), bos) > 1)
    result.say(warning, "it renders BOS more than once");
  return result;
}

}  // namespace

extern const Check check_vocabulary{
    "vocabulary", "the tokenizer loads, tokens and embeddings are as many, text comes back", run_vocabulary};
extern const Check check_pretokenizer{"pre-tokenizer", "tokenizer.ggml.pre is known and fits the vocabulary",
                                      run_pretokenizer};
extern const Check check_special_tokens{
    "special tokens", "BOS, EOS and EOT are there and marked as what they are", run_special_tokens};
extern const Check check_chat_template{
    "chat template", "it parses, renders a conversation, and its end marker ends", run_chat_template};

}  // namespace assay
