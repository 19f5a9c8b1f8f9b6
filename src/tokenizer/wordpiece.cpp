#include "tokenizer/wordpiece.h"

#include <utf8proc.h>

#include <string>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/prefix_matcher.h"
#include "tokenizer/utf8.h"

namespace assay {
namespace {

std::vector<PrefixMatcher::Entry> all_entries(const Vocabulary& vocabulary) {
  std::vector<PrefixMatcher::Entry> entries;
  for (int32_t id = 0; id < vocabulary.n_tokens(); ++id)
    entries.push_back({vocabulary.tokens[static_cast<size_t>(id)].text, id});
  return entries;
}

/// The general category's first letter: 'L', 'M', 'N', 'P', 'S', 'Z' or 'C'; '\0' for an unassigned code
/// point.
char major_category(char32_t code_point) {
  const char* name = utf8proc_category_string(static_cast<utf8proc_int32_t>(code_point));
  return name[0] == 'C' && name[1] == 'n' ? '\0' : name[0];
}

bool is_white_space(char32_t c, char category) {
  return (c >= '\t' && c <= '\r') || c == 0x85 || category == 'Z';
}

/// The CJK ideographs, as BERT's and llama.cpp's tokenizers list them (0x2B920 included, where Unicode has
/// 0x2B820).
bool is_ideograph(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

/// The first code point of the canonical decomposition; llama.cpp keeps no more of it.
char32_t decomposition_head(char32_t c) {
  utf8proc_int32_t decomposed[8];
  int boundary = 0;
  const auto n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), decomposed, std::size(decomposed),
                                         UTF8PROC_DECOMPOSE, &boundary);
  return n > 0 ? static_cast<char32_t>(decomposed[0]) : c;
}

class WordPiece final : public Tokenizer {
 public:
  explicit WordPiece(Vocabulary vocabulary)
      : Tokenizer(std::move(vocabulary)), matcher_(all_entries(vocabulary_)) {}

 private:
  void encode_text(std::string_view text, bool /*after_special*/, std::vector<int32_t>& ids) const override {
    std::string word(kSpaceMark);
    const auto finish_word = [&] {
      if (word.size() > kSpaceMark.size()) encode_word(word, ids);
      word.resize(kSpaceMark.size());
    };
    for (size_t offset = 0; offset < text.size();) {
      char32_t c = next_code_point(text, offset);
      if (vocabulary_.strip_accents) c = decomposition_head(c);
      const char category = major_category(c);
      if (is_white_space(c, category)) {
        finish_word();
        continue;
      }
      if (c == 0 || c == 0xFFFD || category == 'C' || (vocabulary_.strip_accents && category == 'M'))
        continue;
      const bool alone = category == 'P' || (c < 0x7F && category == 'S') || is_ideograph(c);
      if (alone) finish_word();
      append_utf8(word, vocabulary_.lowercase
                            ? static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)))
                            : c);
      if (alone) finish_word();
    }
    finish_word();
  }

  /// The longest token at each place; a word that cannot be covered is the unknown token as a whole.
  void encode_word(std::string_view word, std::vector<int32_t>& ids) const {
    const size_t begin = ids.size();
    while (!word.empty()) {
      PrefixMatcher::Entry longest{{}, kNoToken};
      matcher_.match(word, [&](const PrefixMatcher::Entry& entry) { longest = entry; });
      if (longest.id == kNoToken) {
        ids.resize(begin);
        return ids.push_back(vocabulary_.special.unk);
      }
      ids.push_back(longest.id);
      word.remove_prefix(longest.text.size());
    }
  }

  PrefixMatcher matcher_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_wordpiece(Vocabulary vocabulary) {
  return std::make_unique<WordPiece>(std::move(vocabulary));
}

}  // namespace assay
