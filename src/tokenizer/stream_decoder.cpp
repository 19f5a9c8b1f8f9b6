#include "tokenizer/stream_decoder.h"

#include "tokenizer/utf8.h"

namespace assay {

std::string StreamDecoder::push(int32_t id) {
  std::string_view bytes = tokenizer_.piece(id);
  if (!options_.render_special && tokenizer_.vocabulary().has(id, kControl | kUnknown)) bytes = {};
  if (drop_space_ && bytes.starts_with(' ')) bytes.remove_prefix(1);
  drop_space_ = false;
  pending_ += bytes;
  return take(false);
}

std::string StreamDecoder::flush() {
  drop_space_ = options_.drop_space;
  return take(true);
}

std::string StreamDecoder::take(bool at_end) {
  std::string out;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const Utf8Step step = utf8_step(rest.substr(0, 4));
    if (step.kind == Utf8Step::Kind::truncated && !at_end) break;
    if (step.kind == Utf8Step::Kind::valid)
      out += rest.substr(0, step.n_bytes);
    else
      append_utf8(out, 0xFFFD);
    rest.remove_prefix(step.n_bytes);
  }
  pending_.erase(0, pending_.size() - rest.size());
  return out;
}

}  // namespace assay
