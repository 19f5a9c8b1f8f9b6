// llama.cpp's file of base logits (--kl-divergence-base). Source: its tools/perplexity. Little-endian:
//   8 bytes "_logits_"; i32 n_ctx, n_vocab, n_chunk; i32 tokens[n_chunk * n_ctx]; then for each chunk n_ctx -
//   1 - n_ctx / 2 rows of f32 scale, f32 least, u16 q[n_vocab rounded up to even]; log-probability i = scale
//   * q[i] + least.
#include <cmath>
#include <cstring>

#include "base/mapped_file.h"
#include "judge/kl_base.h"

namespace assay {
namespace {

class LlamaCppBase final : public KlBase {
 public:
  LlamaCppBase(MappedFile file, int32_t bos) : file_(std::move(file)) {
    const std::span<const std::byte> bytes = file_.bytes();
    const auto integer = [&](const char* item, size_t at, int32_t low, int32_t high) {
      need(item, at, 4);
      int32_t value;
      std::memcpy(&value, bytes.data() + at, 4);
      if (value < low || value > high)
        throw BadValue({file_.path(), item, at}, std::to_string(value) + " is not in " + std::to_string(low) +
                                                     " to " + std::to_string(high));
      return value;
    };
    text_.n_ctx = size_t(integer("n_ctx", 8, 4, 1 << 24));
    const int32_t n_vocab = integer("n_vocab", 12, 1, 1 << 24);
    vocab_size_ = size_t(n_vocab);
    text_.n_chunks = size_t(integer("n_chunk", 16, 1, 1 << 24));
    constexpr size_t kTokens = 20;
    need("tokens", kTokens, text_.n_chunks * text_.n_ctx * 4);
    text_.ids.reserve(text_.n_chunks * text_.n_ctx);
    for (size_t i = 0; i < text_.n_chunks * text_.n_ctx; ++i)
      text_.ids.push_back(integer("tokens", kTokens + 4 * i, 0, n_vocab - 1));
    text_.bos = bos;
    rows_at_ = kTokens + text_.ids.size() * 4;
    row_bytes_ = 8 + 2 * ((vocab_size_ + 1) / 2 * 2);
    need("log-probabilities", rows_at_, text_.n_scored() * row_bytes_);
  }

  const ScoredText& text() const override { return text_; }
  size_t vocab_size() const override { return vocab_size_; }
  bool normalized() const override { return true; }
  void begin(size_t chunk) override { next_ = chunk * text_.n_rows(); }
  void read(size_t n_rows, float* logits) override {
    for (size_t r = 0; r < n_rows; ++r, ++next_) {
      const size_t at = rows_at_ + next_ * row_bytes_;
      const std::byte* const row = file_.bytes().data() + at;
      float scale, least;
      std::memcpy(&scale, row, 4);
      std::memcpy(&least, row + 4, 4);
      if (!std::isfinite(scale) || !std::isfinite(least))
        throw BadValue({file_.path(), "log-probabilities", at}, "the scale is not a number");
      for (size_t i = 0; i < vocab_size_; ++i) {
        uint16_t q;
        std::memcpy(&q, row + 8 + 2 * i, 2);
        *logits++ = scale * float(q) + least;
      }
    }
  }

 private:
  void need(const char* item, size_t at, size_t n_bytes) const {
    const size_t all = file_.bytes().size();
    if (at > all || n_bytes > all - at)
      throw Truncated({file_.path(), item, at}, "needs " + std::to_string(n_bytes) + " bytes, the file has " +
                                                    std::to_string(all - std::min(at, all)) + " more");
  }

  MappedFile file_;
  ScoredText text_;
  size_t vocab_size_ = 0, rows_at_ = 0, row_bytes_ = 0, next_ = 0;
};

}  // namespace

std::unique_ptr<KlBase> open_llama_cpp_base(MappedFile file, int32_t bos) {
  return std::make_unique<LlamaCppBase>(std::move(file), bos);
}

}  // namespace assay
