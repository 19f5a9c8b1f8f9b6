// WordPiece tokenizer (`bert`): text is normalized and cut into words, each word into the longest tokens from
// left to right. In model files a token that begins a word begins with U+2581; one that continues it (BERT's
// "##") does not.
#pragma once
#include <memory>

#include "tokenizer/tokenizer.h"

namespace assay {

std::unique_ptr<Tokenizer> make_wordpiece(Vocabulary vocabulary);

}  // namespace assay
