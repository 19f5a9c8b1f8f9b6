// Pre-tokenizers: how text is cut into words before byte-level BPE merges run inside each word.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace assay {

/// Cuts `text` into pieces whose concatenation is `text`, appending them to `pieces`.
using SplitFunction = void (*)(std::string_view text, std::vector<std::string_view>& pieces);

/// One pass over the pieces so far: every match of `pattern` becomes a piece, and so does what lies between
/// matches.
struct SplitRule {
  // PCRE2, UTF mode. \s and \S stand for Unicode white space; \d and (?i) are not used, case is spelled out.
  const char* pattern = nullptr;
  SplitFunction function = nullptr;  // instead of a pattern
};

/// A pre-tokenizer as `tokenizer.ggml.pre` names it, with what else the name stands for in llama.cpp v0.5.0.
struct PreTokenizer {
  std::string_view names;  // separated by spaces, the usual one first
  SplitRule rules[6] = {};
  bool ignore_merges = false;  // a word that is a token is that token, whatever the merges would make of it
  bool add_bos = false;        // when the metadata does not say
  bool clean_spaces = true;    // decoding may drop spaces before punctuation
  bool raw_text = false;       // merges run on UTF-8 with U+2581 for space, not on the byte alphabet
  bool newline_runs = false;   // a word of newlines that is a token is that token
  bool force_bos = false;      // BOS is added even where the metadata says not to
  bool no_default_bos = false;
};

/// All of them; the first is "default".
std::span<const PreTokenizer> pretokenizers() noexcept;
/// Null when no entry has this name.
const PreTokenizer* find_pretokenizer(std::string_view name) noexcept;

/// The compiled rules of one pre-tokenizer. Const use is thread safe.
class Splitter {
 public:
  /// Throws std::logic_error when a pattern of the table does not compile.
  explicit Splitter(const PreTokenizer& pretokenizer);
  ~Splitter();
  Splitter(Splitter&&) noexcept;

  /// Pieces of `text` (valid UTF-8), in order, none empty; their concatenation is `text`.
  /// Throws UsageError when PCRE2 gives up (its match limit, its memory).
  std::vector<std::string_view> split(std::string_view text) const;

 private:
  struct Compiled;
  std::vector<Compiled> rules_;
};

}  // namespace assay
