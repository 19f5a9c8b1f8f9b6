// The vocabulary of a model file: tokens, special ids and rules, parsed once and validated; after that the
// file is not looked at again. Keys: ggml's docs/gguf.md, section "Tokenizer"; defaults and corrections:
// llama.cpp v0.5.0.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/gguf.h"
#include "tokenizer/flat_index.h"
#include "tokenizer/pretokenizer.h"

namespace assay {

inline constexpr int32_t kNoToken = -1;  // as TextIndex::find

enum class TokenizerKind : uint8_t { sentencepiece, bpe, wordpiece };

/// What a token is; the sum of these is Token::flags. A file gives one of the first six, llama.cpp's
/// corrections add more.
enum TokenFlag : uint8_t {
  kUnknown = 1,
  kUnused = 2,
  kNormal = 4,
  kControl = 8,
  kUserDefined = 16,
  kByte = 32,
  kStripLeft = 64,    // white space before it in the text belongs to it
  kStripRight = 128,  // and after it
};

struct Token {
  std::string_view text;  // as in the file: spaces as U+2581, or in the byte alphabet, or <0xNN>; not empty
  float score = 0;
  uint8_t flags = kNormal;
};

/// Ids of the tokens with a role; kNoToken where there is none.
struct SpecialIds {
  int32_t bos = kNoToken, eos = kNoToken, eot = kNoToken,
          eom = kNoToken;  // begin, end of text; of turn; of message
  int32_t unk = kNoToken, sep = kNoToken, pad = kNoToken, mask = kNoToken;
  int32_t newline = kNoToken;  // set by make_tokenizer: what encodes "\n"
  int32_t fim_pre = kNoToken, fim_suf = kNoToken, fim_mid = kNoToken;
  int32_t fim_pad = kNoToken, fim_rep = kNoToken, fim_sep = kNoToken;
};

struct Vocabulary {
  TokenizerKind kind{};
  const PreTokenizer* pretokenizer = nullptr;  // bpe only
  std::vector<Token> tokens;
  TextIndex ids;  // of the tokens' texts
  SpecialIds special;
  std::vector<bool> ends_generation;  // by id
  size_t max_token_bytes = 0;

  bool add_bos = false, add_eos = false;  // wordpiece: BOS stands for [CLS], and [SEP] takes the place of EOS
  bool add_space_prefix = false;          // a space goes before text that follows nothing or a special token
  bool clean_spaces = false;              // llama_detokenize drops some spaces, see DecodeOptions
  bool raw_text = false;  // token texts are UTF-8 with U+2581 for space, not the byte alphabet
  bool lowercase = true, strip_accents = true;  // wordpiece

  /// What a user should be told: guessed or overridden values. One sentence each.
  std::vector<std::string> warnings;

  int32_t n_tokens() const { return static_cast<int32_t>(tokens.size()); }
  bool has(int32_t id, uint8_t flags) const { return (tokens[static_cast<size_t>(id)].flags & flags) != 0; }
  /// kNoToken when no token has exactly this text.
  int32_t find(std::string_view text) const { return ids.find(text); }
  /// The token that stands for one byte when nothing better does: <0xNN>, else the byte as a text; or
  /// kNoToken.
  int32_t byte_token(uint8_t byte) const;

  Vocabulary() = default;
  Vocabulary(Vocabulary&&) =
      default;  // texts are views into text_storage, which moves without moving its bytes
  Vocabulary& operator=(Vocabulary&&) = default;
  std::vector<char> text_storage;
};

/// Reads and checks everything but the merges. Throws LoadError with the key: Missing (no tokens, no model),
/// Unsupported (a tokenizer model with no code here), BadValue (wrong element type, lengths that differ,
/// duplicate tokens, NaN scores, token types that do not exist, byte tokens that are not <0xNN>,
/// bos/eos/eot/eom/unk/sep ids out of range, add_bos_token without a BOS). Other special ids out of range are
/// warned of and left out, as many published files have them.
Vocabulary parse_vocabulary(const Metadata& metadata);

/// The byte of `<0xNN>` with two hexadecimal digits; -1 for any other text.
int parse_byte_token(std::string_view text) noexcept;

/// Reads special ids, finds those that the file does not name by well-known texts, builds ends_generation and
/// applies llama.cpp's corrections of token flags. A part of parse_vocabulary.
void assign_special_tokens(Vocabulary& vocabulary, const Metadata& metadata);

}  // namespace assay
