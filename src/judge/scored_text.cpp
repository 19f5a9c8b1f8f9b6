#include "judge/scored_text.h"

#include <algorithm>
#include <string>

namespace assay {

std::vector<int32_t> ScoredText::input(size_t chunk) const {
  const auto begin = ids.begin() + std::ptrdiff_t(chunk * n_ctx);
  std::vector<int32_t> input(begin, begin + std::ptrdiff_t(n_ctx));
  if (bos >= 0) input.front() = bos;
  return input;
}

int32_t bos_of_chunks(const Tokenizer& tokenizer) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  return vocabulary.add_bos ? vocabulary.special.bos : -1;
}

ScoredText cut_text(const Tokenizer& tokenizer, std::string_view text, size_t n_ctx, size_t max_chunks) {
  if (n_ctx < 4) throw UsageError("chunks of " + std::to_string(n_ctx) + " tokens: at least 4 are needed");
  ScoredText cut;
  cut.ids = tokenizer.encode(text);
  cut.n_ctx = n_ctx;
  if (cut.ids.size() < 2 * n_ctx)
    throw UsageError("the text has " + std::to_string(cut.ids.size()) + " tokens, two chunks of " +
                     std::to_string(n_ctx) + " are the least to measure with; -c makes chunks shorter");
  cut.n_chunks = std::min(cut.ids.size() / n_ctx, max_chunks);
  cut.ids.resize(cut.n_chunks * n_ctx);
  cut.bos = bos_of_chunks(tokenizer);
  return cut;
}

}  // namespace assay
