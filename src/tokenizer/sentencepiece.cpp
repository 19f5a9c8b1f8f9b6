#include "tokenizer/sentencepiece.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/pair_merger.h"
#include "tokenizer/utf8.h"

namespace assay {
namespace {

class SentencePiece final : public Tokenizer {
 public:
  explicit SentencePiece(Vocabulary vocabulary) : Tokenizer(std::move(vocabulary)) {
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

    const std::string_view all = marked;
    PairMerger merger;
    for (size_t offset = 0; offset < all.size();) {
      const size_t n_bytes = utf8_length(all[offset]);
      merger.add(offset, n_bytes, kNoToken);
      offset += n_bytes;
    }
    merger.run([&](const Symbol& left, const Symbol& right) -> std::optional<Merge> {
      const size_t n_bytes = left.n_bytes + right.n_bytes;
      if (n_bytes > vocabulary_.max_token_bytes) return std::nullopt;
      const int32_t id = vocabulary_.find(all.substr(left.offset, n_bytes));
      if (id == kNoToken) return std::nullopt;
      return Merge{-static_cast<double>(vocabulary_.tokens[static_cast<size_t>(id)].score), id};
    });
    merger.for_each([&](const Symbol& symbol) {
      const std::string_view piece = all.substr(symbol.offset, symbol.n_bytes);
      const int32_t id = symbol.id != kNoToken ? symbol.id : vocabulary_.find(piece);
      if (id != kNoToken) return ids.push_back(id);
      for (const char c : piece)
        if (const int32_t byte = bytes_[static_cast<unsigned char>(c)]; byte != kNoToken) ids.push_back(byte);
    });
  }

  std::array<int32_t, 256> bytes_{};  // the token of each byte, else the unknown token
};

}  // namespace

std::unique_ptr<Tokenizer> make_sentencepiece(Vocabulary vocabulary) {
  return std::make_unique<SentencePiece>(std::move(vocabulary));
}

}  // namespace assay
