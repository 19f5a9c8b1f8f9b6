#include "diagnose/tokens/first_edit.h"

#include <fmt/format.h>

#include <algorithm>

#include "diagnose/tokens/probes.h"

namespace assay {
namespace {

using Ids = std::span<const int32_t>;

bool is_known(const Tokenizer& t, int32_t id) {
  return id >= 0 && id < t.vocabulary().n_tokens();
}
bool is_control(const Tokenizer& t, int32_t id) {
  return is_known(t, id) && t.vocabulary().has(id, kControl);
}

template <class Holds>
bool all_bytes(std::string_view text, const Holds& holds) {
  return !text.empty() && std::all_of(text.begin(), text.end(), holds);
}
bool any_beyond_ascii(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; });
}

/// The last bytes of `text`, or its first, cut between characters.
std::string_view near_end(std::string_view text, size_t n) {
  if (text.size() <= n) return text;
  text.remove_prefix(text.size() - n);
  while (!text.empty() && (text.front() & 0xC0) == 0x80) text.remove_prefix(1);
  return text;
}
std::string_view near_begin(std::string_view text, size_t n) {
  if (text.size() <= n) return text;
  while (n > 0 && (text[n] & 0xC0) == 0x80) --n;
  return text.substr(0, n);
}

}  // namespace

std::string show_ids(const Tokenizer& tokenizer, Ids ids) {
  constexpr size_t kMost = 8;
  if (ids.empty()) return "nothing";
  std::string out;
  for (const int32_t id : ids.first(std::min(ids.size(), kMost))) {
    out += fmt::format("{}{}", out.empty() ? "" : ", ", id);
    out +=
        is_known(tokenizer, id) ? fmt::format(" \"{}\"", shown(tokenizer.piece(id), 40)) : " (no such token)";
  }
  if (ids.size() > kMost) out += fmt::format(", ... ({} in all)", ids.size());
  return out;
}

std::string text_of(const Tokenizer& tokenizer, Ids ids) {
  std::string text;
  for (const int32_t id : ids)
    if (is_known(tokenizer, id)) text += tokenizer.piece(id);
  return text;
}

std::string show_context(const Tokenizer& tokenizer, const IdEdit& edit, Ids expected, Ids observed) {
  constexpr size_t kAround = 24, kInside = 60;
  const std::string before = text_of(tokenizer, expected.first(edit.a_begin)),
                    after = text_of(tokenizer, expected.subspan(edit.a_end)),
                    wanted = text_of(tokenizer, expected.subspan(edit.a_begin, edit.a_end - edit.a_begin)),
                    got = text_of(tokenizer, observed.subspan(edit.b_begin, edit.b_end - edit.b_begin));
  return fmt::format("\"{}\" then \"{}\" expected, \"{}\" observed, then \"{}\"",
                     shown(near_end(before, kAround)), shown(wanted, kInside), shown(got, kInside),
                     shown(near_begin(after, kAround)));
}

std::string meaning_of(const Tokenizer& tokenizer, std::span<const IdEdit> edits, Ids expected,
                       Ids observed) {
  const Vocabulary& v = tokenizer.vocabulary();
  const IdEdit& first = edits.front();
  const Ids wanted = expected.subspan(first.a_begin, first.a_end - first.a_begin),
            got = observed.subspan(first.b_begin, first.b_end - first.b_begin);
  const std::string wanted_text = text_of(tokenizer, wanted), got_text = text_of(tokenizer, got);

  if (!std::all_of(observed.begin(), observed.end(), [&](int32_t id) { return is_known(tokenizer, id); }))
    return "ids outside of the vocabulary: another vocabulary, or ids computed instead of looked up";
  if (expected.size() == observed.size() && expected.size() > 1) {
    const int32_t shift = observed[0] - expected[0];
    bool constant = shift != 0;
    for (size_t i = 0; i < expected.size(); ++i) constant = constant && observed[i] - expected[i] == shift;
    if (constant) return fmt::format("every id is off by {}: the vocabulary is numbered otherwise", shift);
  }
  if (first.a_begin == 0) {
    const auto is_bos = [&](Ids ids) {
      return ids.size() == 1 && ids[0] == v.special.bos && ids[0] != kNoToken;
    };
    if (is_bos(wanted) && got.empty()) return "BOS is missing";
    if (is_bos(got) && wanted.empty())
      return expected.empty() || expected.front() != v.special.bos ? "a BOS that the file does not ask for"
                                                                   : "BOS comes twice";
  }
  if (first.a_end == expected.size() && wanted.empty() && got.size() == 1 && got[0] == v.special.eos)
    return "EOS is appended: the model believes that its text is over";
  if (first.b_end == observed.size() && got.empty() && edits.size() == 1 && wanted.size() > 1)
    return "the end of the prompt is missing: cut to a context?";
  if (first.b_begin == 0 && got.empty() && edits.size() == 1 && wanted.size() > 1)
    return "the beginning of the prompt is missing: cut to a context?";
  if (std::any_of(wanted.begin(), wanted.end(), [&](int32_t id) { return is_control(tokenizer, id); }) &&
      got.size() > wanted.size() && got_text.find(tokenizer.piece(wanted.front())) != std::string::npos)
    return "a special token was encoded as the characters of its name";
  if (std::any_of(got.begin(), got.end(), [&](int32_t id) { return is_control(tokenizer, id); }) &&
      wanted.empty())
    return "special tokens where the prompt has none: a template that was not asked for, or applied twice";
  if (wanted_text == got_text && !wanted.empty()) {
    const auto digit = [](char c) { return (c >= '0' && c <= '9') || c == ' '; };
    if (observed.size() >= tokenizer.decode(observed).size())
      return "about one token a byte: merges are not applied";
    if (all_bytes(wanted_text, digit))
      return "same text, digits grouped otherwise: the pre-tokenizer's pattern";
    if (all_bytes(wanted_text, [](char c) { return c == ' ' || c == '\n' || c == '\t'; }))
      return "same text, white space grouped otherwise: the pre-tokenizer's pattern, or its look-ahead";
    return "same text, split otherwise: the order of merges, scores, or the pre-tokenizer's pattern";
  }
  const auto without_white_space = [](std::string text) {
    std::erase_if(text, [](char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; });
    return text;
  };
  const bool after_special = first.a_begin > 0 && is_control(tokenizer, expected[first.a_begin - 1]);
  const bool only_space =
      wanted_text.starts_with(' ') != got_text.starts_with(' ') &&
      without_white_space(wanted_text) == wanted_text.substr(wanted_text.starts_with(' '));
  if (without_white_space(wanted_text) == without_white_space(got_text) && !only_space)
    return after_special
               ? "white space after a special token: stripped, or a space prefix too many or too few"
               : "white space is replaced, collapsed or stripped on its way to the tokenizer";
  if (any_beyond_ascii(wanted_text))
    return "only characters beyond ASCII: byte fallback, a normal form, or an encoding applied twice";
  if (wanted_text.starts_with(' ') != got_text.starts_with(' '))
    return first.a_begin <= 1 || after_special ? "the space before a text: SentencePiece's prefix"
                                               : "spaces are lost: another scheme than this vocabulary's";
  if (text_of(tokenizer, observed).size() > text_of(tokenizer, expected).size() + got_text.size() / 2 + 8)
    return "the ids stand for a longer text: a template around the prompt, or text duplicated";
  return "another text: a template, a role name or a message differs";
}

}  // namespace assay
