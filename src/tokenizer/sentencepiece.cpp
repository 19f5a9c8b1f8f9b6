#include "tokenizer/sentencepiece.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/pair_merger.h"
#include "tokenizer/utf8.h"
#include "tokenizer/word_cache.h"

namespace assay {
namespace {

class SentencePiece final : public Tokenizer {
 public:
  explicit SentencePiece(Vocabulary vocabulary) : Tokenizer(std::move(vocabulary)) {
    for (const Token& token : vocabulary_.tokens)
      for (size_t mark = token.text.find(kSpaceMark, 1); mark != std::string_view::npos;
           mark = token.text.find(kSpaceMark, mark + 1))
        before_mark_[static_cast<unsigned char>(token.text[mark - 1])] = true;
    size_t n_missing = 0;
    for (size_t byte = 0; byte < 256; ++byte) {
      bytes_[byte] = vocabulary_.byte_token(static_cast<uint8_t>(byte));
      if (bytes_[byte] != kNoToken) continue;
      bytes_[byte] = vocabulary_.special.unk;
      ++n_missing;
    }
    if (n_missing > 0)
      vocabulary_.warnings.push_back(
          fmt::format("{} of the 256 bytes have no token: text that needs them is not kept.", n_missing));
  }

 private:
  void encode_text(std::string_view text, bool after_special, std::vector<int32_t>& ids) const override {
    std::string marked;
    marked.reserve(text.size() + text.size() / 2);
    if (after_special && vocabulary_.add_space_prefix) marked += kSpaceMark;
    for (const char c : text)
      if (c == ' ')
        marked += kSpaceMark;
      else
        marked += c;

    WordCache cache;
    PairMerger merger;
    std::string_view rest = marked;
    while (!rest.empty()) {
      const std::string_view word = rest.substr(0, word_bytes(rest));
      cache.append(word, ids, [&] { encode_word(word, merger, ids); });
      rest.remove_prefix(word.size());
    }
  }

  /// Bytes of `text` before the first space mark that no token spans: nothing merges across, so what lies
  /// before it is encoded on its own.
  size_t word_bytes(std::string_view text) const {
    size_t mark = text.find(kSpaceMark, 1);
    while (mark != std::string_view::npos && before_mark_[static_cast<unsigned char>(text[mark - 1])])
      mark = text.find(kSpaceMark, mark + 1);
    return std::min(mark, text.size());
  }

  void encode_word(std::string_view word, PairMerger& merger, std::vector<int32_t>& ids) const {
    merger.clear();
    for (size_t offset = 0; offset < word.size();) {
      const size_t n_bytes = utf8_length(word[offset]);
      merger.add(offset, n_bytes, kNoToken);
      offset += n_bytes;
    }
    merger.run([&](const Symbol& left, const Symbol& right) -> std::optional<Merge> {
      const size_t n_bytes = size_t{left.n_bytes} + right.n_bytes;
      if (n_bytes > vocabulary_.max_token_bytes) return std::nullopt;
      const int32_t id = vocabulary_.find(word.substr(left.offset, n_bytes));
      if (id == kNoToken) return std::nullopt;
      return Merge{cost_of_score(vocabulary_.tokens[static_cast<size_t>(id)].score), id};
    });
    merger.for_each([&](const Symbol& symbol) {
      const std::string_view piece = word.substr(symbol.offset, symbol.n_bytes);
      const int32_t id = symbol.id != kNoToken ? symbol.id : vocabulary_.find(piece);
      if (id != kNoToken) return ids.push_back(id);
      for (const char c : piece)
        if (const int32_t byte = bytes_[static_cast<unsigned char>(c)]; byte != kNoToken) ids.push_back(byte);
    });
  }

  /// An integer that falls as the score rises. The bits of a float, read as a number, are in its order for
  /// positive floats and in the reverse order for negative ones.
  static uint32_t cost_of_score(float score) {
    const uint32_t bits = std::bit_cast<uint32_t>(score + 0.0f);  // -0 as 0
    return bits >> 31 ? bits : 0x7FFFFFFFu - bits;
  }

  std::array<bool, 256> before_mark_{};  // bytes that stand before a space mark inside some token
  std::array<int32_t, 256> bytes_{};     // the token of each byte, else the unknown token
};

}  // namespace

std::unique_ptr<Tokenizer> make_sentencepiece(Vocabulary vocabulary) {
  return std::make_unique<SentencePiece>(std::move(vocabulary));
}

}  // namespace assay
