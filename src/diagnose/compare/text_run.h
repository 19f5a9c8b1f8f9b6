// One engine's answers over a text: the logits of every position, and the residual stream behind every layer.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "model/model.h"

namespace assay {

/// Each sequence begins at position 0 of a cache of its own; rows are counted through all of them.
using Sequences = std::vector<std::vector<int32_t>>;
size_t count_tokens(const Sequences& sequences);

struct TextRun {
  size_t n_tokens = 0, vocab_size = 0, d_model = 0;
  std::vector<float> logits;               // (n_tokens, vocab_size)
  std::vector<std::vector<float>> layers;  // n_layers times (n_tokens, d_model): l_out-N

  std::span<const float> row(size_t token) const {
    return std::span(logits).subspan(token * vocab_size, vocab_size);
  }
};

/// Runs the sequences, f32 in the KV cache. `ops` has the model's weights loaded; ids are below vocab_size.
/// Throws UsageError (a sequence longer than the model can run), MachineError.
TextRun run_text(const Model& model, Ops& ops, const Sequences& sequences);

/// How far a run is from another of the same text.
struct RunDistance {
  double kl = 0;               // mean over the positions, nats
  uint64_t n_other_top = 0;    // positions whose likeliest token is another one
  std::vector<double> layers;  // root of the mean over positions of |l_out - base's|^2 / |base's|^2
  bool finite = true;          // false: a logit is no number, and the rest is not set
};
/// Throws std::invalid_argument unless both runs have the same sizes.
RunDistance distance(const TextRun& base, const TextRun& run);

/// The likeliest token of a row; of equals, the lowest id. And how far the second is behind.
struct TopToken {
  int32_t id = 0, second = 0;
  float logit = 0, gap = 0;
};
TopToken top_token(std::span<const float> logits);

}  // namespace assay
