// Text <-> token ids, as llama.cpp v0.5.0's llama_tokenize and llama_detokenize.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/gguf.h"
#include "tokenizer/special_splitter.h"
#include "tokenizer/vocabulary.h"

namespace assay {

struct EncodeOptions {
  // As the file asks, unless given. A token that the file does not name is not added.
  std::optional<bool> add_bos = {}, add_eos = {};
  bool parse_special = false;  // control tokens spelled out in the text become those tokens
};

/// A part of a prompt. Control tokens are found only in segments that allow it; ordinary text merges across
/// segments.
struct Segment {
  std::string_view text;
  bool parse_special = false;
};

struct DecodeOptions {
  bool render_special = false;  // control and unknown tokens as their texts, else as nothing
  bool drop_bos_eos =
      false;  // a leading BOS and a trailing EOS are not decoded, where the file asks to add them
  bool clean_spaces =
      false;  // where the vocabulary asks (llama_detokenize always does): " ." -> "." and the like
};

/// What a tokenizer is made of.
struct TokenizerTables {
  struct Merge {
    std::string_view left, right;  // views into the file
    uint32_t rank;                 // the lowest goes first; equal ranks go from left to right
  };
  Vocabulary vocabulary;
  std::vector<Merge> merges;  // bpe only; of several merges of one pair the first counts
};

/// The tables that a model file's metadata hold. Throws LoadError as parse_vocabulary does, and for merges
/// that are missing (kimi-k2 has none) or not two texts with a space between.
TokenizerTables parse_tokenizer(const Metadata& metadata);

/// Immutable after construction; const use is thread safe. Independent of the file it was made from.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  /// Token ids of `text`. Throws UsageError: invalid UTF-8 (with the byte's offset), more than kMaxTextBytes.
  std::vector<int32_t> encode(std::string_view text, const EncodeOptions& options = {}) const;
  /// Token ids of the segments' concatenation; options.parse_special is not used. Errors as encode(); an
  /// offset counts from the first segment's first byte.
  std::vector<int32_t> encode_segments(std::span<const Segment> segments,
                                       const EncodeOptions& options = {}) const;

  /// The bytes that a token stands for, special tokens as their texts; perhaps a part of a UTF-8 character,
  /// perhaps nothing. Throws UsageError for an id that is not in the vocabulary.
  std::string_view piece(int32_t id) const;

  /// The text of `ids`, as bytes: ids in an order that no text has may give invalid UTF-8. Where encoding
  /// puts a space before text, a space that begins the first id is dropped again. Throws UsageError for an id
  /// not in the vocabulary.
  ///
  /// decode(encode(s, without BOS and EOS)) == s for every valid UTF-8 text s, provided that
  ///  - sentencepiece: s has no U+2581, the vocabulary has all 256 byte tokens and no special token that
  ///  strips spaces, and
  ///    s does not begin with the text of a user-defined or parsed special token that itself begins with a
  ///    space;
  ///  - bpe: the vocabulary has the 256 characters of the byte alphabet, no add_space_prefix, and no
  ///  stripping tokens;
  ///  - parsed special tokens are rendered (render_special).
  /// Wordpiece loses case, accents and spacing.
  std::string decode(std::span<const int32_t> ids, const DecodeOptions& options = {}) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }
  bool ends_generation(int32_t id) const {
    return id >= 0 && id < vocabulary_.n_tokens() && vocabulary_.ends_generation[static_cast<size_t>(id)];
  }
  /// What a user should be told about this file's tokenizer; one sentence each.
  const std::vector<std::string>& warnings() const { return vocabulary_.warnings; }

  static constexpr size_t kMaxTextBytes = size_t{1} << 30;

 protected:
  explicit Tokenizer(Vocabulary vocabulary);

  /// Appends the ids of ordinary text: valid UTF-8, not empty. `after_special`: it begins the text or follows
  /// a special token.
  virtual void encode_text(std::string_view text, bool after_special, std::vector<int32_t>& ids) const = 0;
  friend std::unique_ptr<Tokenizer> make_tokenizer(TokenizerTables tables);

  Vocabulary vocabulary_;

 private:
  SpecialSplitter splitter_;
  std::string pieces_;               // of all tokens, one after another
  std::vector<size_t> piece_begin_;  // n_tokens + 1 offsets into pieces_
};

std::unique_ptr<Tokenizer> make_tokenizer(TokenizerTables tables);
/// The tokenizer that a model file's metadata describe. Throws as parse_tokenizer.
std::unique_ptr<Tokenizer> make_tokenizer(const Metadata& metadata);

}  // namespace assay
