// A text cut into chunks whose second halves are scored, as llama.cpp's perplexity tool cuts it.
#pragma once
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace assay {

/// Chunk c is ids[c * n_ctx, (c + 1) * n_ctx); of each, the tokens after position first() are predicted, from
/// all before them. Source: llama.cpp's tools/perplexity.
struct ScoredText {
  std::vector<int32_t> ids;  // n_chunks * n_ctx
  size_t n_ctx = 0, n_chunks = 0;
  int32_t bos = -1;  // takes the place of each chunk's first token; -1: it stays

  size_t first() const { return n_ctx / 2; }
  /// Predictions of one chunk: row r is made by position first() + r, and predicts the token after it.
  size_t n_rows() const { return n_ctx - 1 - first(); }
  size_t n_scored() const { return n_rows() * n_chunks; }
  /// What the model is given of a chunk (n_ctx).
  std::vector<int32_t> input(size_t chunk) const;
  int32_t target(size_t chunk, size_t row) const { return ids[chunk * n_ctx + first() + row + 1]; }
};

/// The BOS that takes the place of a chunk's first token, or -1 where the vocabulary asks for none.
int32_t bos_of_chunks(const Tokenizer& tokenizer);

/// Tokens of `text` in chunks of n_ctx (at least 4), at most max_chunks of them; BOS and EOS as the
/// vocabulary asks. Throws UsageError when the text has not two chunks, or as Tokenizer::encode.
ScoredText cut_text(const Tokenizer& tokenizer, std::string_view text, size_t n_ctx, size_t max_chunks);

}  // namespace assay
