// Where an engine's ids first differ from the right ones, and what such a difference usually means.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "diagnose/tokens/alignment.h"
#include "tokenizer/tokenizer.h"

namespace assay {

/// `ids` as `13 "\n", 29871 " "`, at most a few; an id outside of the vocabulary as such.
std::string show_ids(const Tokenizer& tokenizer, std::span<const int32_t> ids);

/// The bytes that the ids stand for, control tokens as their texts, ids outside of the vocabulary as nothing.
std::string text_of(const Tokenizer& tokenizer, std::span<const int32_t> ids);

/// The text around an edit, white space visible: `... upon a [expected|observed] time ...`.
std::string show_context(const Tokenizer& tokenizer, const IdEdit& edit, std::span<const int32_t> expected,
                         std::span<const int32_t> observed);

/// What kind of fault the edits look like: the decision tree for ids. One sentence.
std::string meaning_of(const Tokenizer& tokenizer, std::span<const IdEdit> edits,
                       std::span<const int32_t> expected, std::span<const int32_t> observed);

}  // namespace assay
