// Byte-pair encoding: words are cut by the pre-tokenizer, then merged inside by rank.
#pragma once
#include <memory>

#include "tokenizer/tokenizer.h"

namespace assay {

/// The merges of a file, in order of rank. Throws LoadError when they are missing (kimi-k2 has none) or one
/// is not two texts with a space between.
std::vector<TokenizerTables::Merge> parse_merges(const Vocabulary& vocabulary, const Metadata& metadata);

/// Merges of texts that are no tokens are kept, as llama.cpp keeps them, with a warning.
std::unique_ptr<Tokenizer> make_bpe(TokenizerTables tables);

}  // namespace assay
