// SentencePiece-style tokenizer (`llama`): characters are merged while the result is a token, the best score
// first; what is left over becomes byte tokens.
#pragma once
#include <memory>

#include "tokenizer/tokenizer.h"

namespace assay {

std::unique_ptr<Tokenizer> make_sentencepiece(Vocabulary vocabulary);

}  // namespace assay
