#include "judge/logit_source.h"

#include <algorithm>
#include <string>

namespace assay {

ModelSource::ModelSource(LoadedModel& loaded, const ScoredText& text, size_t n_batch, KvType kv_type)
    : text_(text),
      vocab_size_(loaded.model().hparams().vocab_size),
      session_(loaded.model(), loaded.ops(),
               {.n_ctx = text.n_ctx, .n_batch = n_batch, .n_logit_rows = 16, .kv_type = kv_type}) {
  const auto largest = std::max_element(text.ids.begin(), text.ids.end());
  if (size_t(*largest) >= vocab_size_)
    throw UsageError(printable(loaded.model().file().path(), 1000) + ": has " + std::to_string(vocab_size_) +
                     " tokens, the text has one of id " + std::to_string(*largest));
}

void ModelSource::begin(size_t chunk) {
  input_ = text_.input(chunk);
  session_.reset();
  at_ = text_.first();
  session_.prefill(std::span(input_).first(at_));
}

void ModelSource::read(size_t n_rows, float* logits) {
  read(n_rows, logits, nullptr);
}

void ModelSource::read(size_t n_rows, float* logits, float* normed) {
  session_.prefill(std::span(input_).subspan(at_, n_rows),
                   [&](size_t, std::span<const float> row, std::span<const float> norm) {
                     logits = std::copy(row.begin(), row.end(), logits);
                     if (normed) normed = std::copy(norm.begin(), norm.end(), normed);
                   });
  at_ += n_rows;
}

}  // namespace assay
