// Cutting text at the special tokens that are spelled out in it.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/prefix_matcher.h"
#include "tokenizer/vocabulary.h"

namespace assay {

/// A part of a text: a token (text empty), or text with no special token left in it (id is kNoToken).
struct Fragment {
  int32_t id = kNoToken;
  std::string_view text;
};

/// Bytes [begin, end) of a text.
struct ByteRange {
  size_t begin = 0, end = 0;
};

/// Finds special tokens as llama.cpp does: the longest first (then by id), each from left to right in what is
/// left. User-defined tokens are found everywhere, control and unknown tokens only inside a range that allows
/// them.
class SpecialSplitter {
 public:
  explicit SpecialSplitter(const Vocabulary& vocabulary);
  /// The parts of `text`, in order, no text part empty. `parse_special`: disjoint ranges of `text` in
  /// ascending order.
  std::vector<Fragment> split(std::string_view text, std::span<const ByteRange> parse_special) const;

 private:
  const Vocabulary& vocabulary_;
  std::vector<int32_t> by_length_;
  PrefixMatcher matcher_;
};

}  // namespace assay
