#include "tokenizer/bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>

#include "tokenizer/byte_alphabet.h"
#include "tokenizer/pair_merger.h"
#include "tokenizer/utf8.h"
#include "tokenizer/word_cache.h"

namespace assay {
namespace {

constexpr std::string_view kMerges = "tokenizer.ggml.merges";

std::string replace_spaces(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c == ' ')
      out += kSpaceMark;
    else
      out += c;
  return out;
}

class Bpe final : public Tokenizer {
 public:
  explicit Bpe(TokenizerTables tables)
      : Tokenizer(std::move(tables.vocabulary)), splitter_(*vocabulary_.pretokenizer) {
    index_merges(tables.merges);
    size_t n_missing = 0;
    for (size_t byte = 0; byte < 256; ++byte) {
      std::string character;
      append_utf8(character, kByteCharacters[byte]);
      byte_units_[byte] = find_unit(character);
      const int32_t id =
          vocabulary_.raw_text ? vocabulary_.byte_token(uint8_t(byte)) : vocabulary_.find(character);
      if (id == kNoToken) ++n_missing;
    }
    if (n_missing > 0)
      vocabulary_.warnings.push_back(
          fmt::format("{} of the 256 bytes have no token: text that needs them loses them.", n_missing));
  }

 private:
  // A unit is what merges work on: a token, or a text that only merges know, numbered past the tokens.
  int32_t find_unit(std::string_view text) const {
    const int32_t id = vocabulary_.find(text);
    if (id != kNoToken || extra_units_.empty()) return id;
    const auto found = extra_units_.find(std::string(text));
    return found == extra_units_.end() ? kNoToken : found->second;
  }

  int32_t intern(std::string_view text) {
    const int32_t id = vocabulary_.find(text);
    if (id != kNoToken) return id;
    const auto next = static_cast<int32_t>(vocabulary_.tokens.size() + extra_units_.size());
    return extra_units_.emplace(text, next).first->second;
  }

  void index_merges(std::span<const TokenizerTables::Merge> merges) {
    merges_.reserve(merges.size());
    size_t n_unresolved = 0;
    std::string joined;
    for (const TokenizerTables::Merge& merge : merges) {
      joined.assign(merge.left).append(merge.right);
      const int32_t left = intern(merge.left), right = intern(merge.right), result = intern(joined);
      if (std::max({left, right, result}) >= vocabulary_.n_tokens()) ++n_unresolved;
      merges_.add({left, right, merge.rank, result});
    }
    if (n_unresolved > 0)
      vocabulary_.warnings.push_back(
          fmt::format("{} of {} merges are of texts that are not tokens.", n_unresolved, merges.size()));
  }

  void encode_text(std::string_view text, bool /*after_special*/, std::vector<int32_t>& ids) const override {
    std::string marked;
    if (vocabulary_.raw_text) text = marked = replace_spaces(text);
    WordCache cache;
    PairMerger merger;
    for (const std::string_view word : splitter_.split(text))
      cache.append(word, ids, [&] { encode_word(word, merger, ids); });
  }

  void encode_word(std::string_view word, PairMerger& merger, std::vector<int32_t>& ids) const {
    const PreTokenizer& pre = *vocabulary_.pretokenizer;
    const bool newlines = pre.newline_runs && word.find_first_not_of('\n') == std::string_view::npos;
    if (pre.ignore_merges || newlines) {
      const int32_t id = vocabulary_.find(vocabulary_.raw_text ? std::string(word) : to_byte_alphabet(word));
      if (id != kNoToken) return ids.push_back(id);
    }
    merger.clear();
    for (size_t offset = 0; offset < word.size();) {
      const size_t n_bytes = vocabulary_.raw_text ? utf8_length(word[offset]) : 1;
      merger.add(offset, n_bytes,
                 vocabulary_.raw_text ? find_unit(word.substr(offset, n_bytes))
                                      : byte_units_[static_cast<unsigned char>(word[offset])]);
      offset += n_bytes;
    }
    merger.run([&](const Symbol& left, const Symbol& right) -> std::optional<Merge> {
      if (left.id == kNoToken || right.id == kNoToken) return std::nullopt;
      const PairIndex::Entry* merge = merges_.find(left.id, right.id);
      return merge ? std::optional<Merge>({merge->rank, merge->id}) : std::nullopt;
    });
    merger.for_each([&](const Symbol& symbol) {
      if (symbol.id != kNoToken && symbol.id < vocabulary_.n_tokens())
        ids.push_back(symbol.id);
      else
        append_bytes(word.substr(symbol.offset, symbol.n_bytes), ids);
    });
  }

  /// For a text that is no token: the tokens of its bytes, as far as there are any.
  void append_bytes(std::string_view text, std::vector<int32_t>& ids) const {
    const std::string spelled = vocabulary_.raw_text ? std::string(text) : to_byte_alphabet(text);
    for (const char c : spelled) {
      const int32_t id =
          vocabulary_.raw_text ? vocabulary_.byte_token(static_cast<uint8_t>(c)) : vocabulary_.find({&c, 1});
      if (id != kNoToken) ids.push_back(id);
    }
  }

  static std::string to_byte_alphabet(std::string_view bytes) {
    std::string text;
    for (const char byte : bytes) append_utf8(text, kByteCharacters[static_cast<unsigned char>(byte)]);
    return text;
  }

  Splitter splitter_;
  std::unordered_map<std::string, int32_t> extra_units_;
  PairIndex merges_;
  std::array<int32_t, 256> byte_units_{};  // of the byte alphabet's characters
};

}  // namespace

std::vector<TokenizerTables::Merge> parse_merges(const Vocabulary& vocabulary, const Metadata& metadata) {
  const auto texts = metadata.find_strings(kMerges);
  if (!texts) {
    if (vocabulary.pretokenizer == find_pretokenizer("kimi-k2")) return {};
    throw Missing(metadata.place(kMerges), "is not in the file");
  }
  std::vector<TokenizerTables::Merge> merges;
  merges.reserve(texts->size());
  for (size_t rank = 0; rank < texts->size(); ++rank) {
    const std::string_view text = (*texts)[rank];
    const size_t space = text.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == text.size()) {
      Place place = metadata.place(kMerges);
      place.item += fmt::format("[{}]", rank);
      throw BadValue(std::move(place), "'" + printable(text) + "' is not two texts with a space between");
    }
    merges.push_back({text.substr(0, space), text.substr(space + 1), static_cast<uint32_t>(rank)});
  }
  return merges;
}

std::unique_ptr<Tokenizer> make_bpe(TokenizerTables tables) {
  return std::make_unique<Bpe>(std::move(tables));
}

}  // namespace assay
