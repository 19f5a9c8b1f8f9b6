// Anchoring, first of all: do two files speak of one model, with one tokenizer?
#pragma once
#include <string>
#include <vector>

#include "gguf/gguf.h"
#include "tokenizer/tokenizer.h"

namespace assay {

/// What two files disagree on, one sentence each.
struct Disagreements {
  /// That changes tokens or the computation: vocabulary, special ids, merges, hyperparameters, tensors that
  /// only one has.
  std::vector<std::string> faults;
  /// That may: a key that only one file has, a chat template that renders alike.
  std::vector<std::string> notes;
};

/// Compares the keys under "tokenizer." and under the architecture's name, what the chat templates render,
/// and the names of the tensors. Integers are compared by value, whatever their stored width.
Disagreements compare_metadata(const GgufFile& anchor, const Tokenizer& anchor_tokenizer,
                               const GgufFile& file, const Tokenizer& tokenizer);

/// The first place where two lists of ids part, in words, with the tokens' texts: "position 3 has 29871 " "
/// where the anchor has 13 "\n"". Empty: they are equal.
std::string first_difference(const Tokenizer& tokenizer, const std::vector<int32_t>& anchor,
                             const std::vector<int32_t>& ids);

}  // namespace assay
