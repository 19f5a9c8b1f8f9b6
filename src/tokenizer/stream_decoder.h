// Ids to text as they come, in whole UTF-8 characters.
#pragma once
#include <cstdint>
#include <string>

#include "tokenizer/tokenizer.h"

namespace assay {

/// Decodes a sequence id by id. What it returns, joined, is Tokenizer::decode of the ids (with no
/// clean_spaces), with U+FFFD in place of bytes that are not UTF-8. Never returns a part of a character. The
/// tokenizer must outlive it.
class StreamDecoder {
 public:
  struct Options {
    bool render_special = false;  // as DecodeOptions
    bool drop_space = false;  // a space that begins the first id is dropped: for text that continues nothing
  };
  explicit StreamDecoder(const Tokenizer& tokenizer) : StreamDecoder(tokenizer, Options()) {}
  StreamDecoder(const Tokenizer& tokenizer, Options options)
      : tokenizer_(tokenizer), options_(options), drop_space_(options.drop_space) {}

  /// The text that `id` completes, perhaps none. Throws UsageError for an id that is not in the vocabulary.
  std::string push(int32_t id);
  /// The end: U+FFFD if a character was left unfinished, else nothing. The decoder can be used again.
  std::string flush();

 private:
  std::string take(bool at_end);
  const Tokenizer& tokenizer_;
  Options options_;
  bool drop_space_;
  std::string pending_;
};

}  // namespace assay
