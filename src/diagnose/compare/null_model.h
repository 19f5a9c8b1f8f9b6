// The null distribution: the anchor with the noise that a file's types must have, as often as asked.
#pragma once
#include <cstdint>
#include <deque>
#include <vector>

#include "base/thread_pool.h"
#include "diagnose/compare/text_run.h"
#include "model/model.h"

namespace assay {

/// A model whose weights are the anchor's plus noise of the size, and of the shape within each sub-block,
/// that storing them in a file's types gives.
///
/// For each weight: error E = decode(encode(W)) - W of our own encoder (effort fast) is parted into a share
/// along W and the rest, E = c W + E', c = E.W / W.W over the tensor: every least-squares encoder shrinks, so
/// c keeps its sign, and E' gets a random sign for each sub-block. So a draw has the noise of a stranger's
/// encoder that rounds other ways, with each sub-block's own size. Where the anchor is itself rounded, noise
/// of that size is added (see RowNoise).
///
/// Draws run on the cpu backend with f32 weights, whose activations are not rounded: against `exact` that
/// arithmetic adds a KL of about 1e-11 on the embedded model, four orders below the noise of any quantized
/// type, and no logarithm of it counts below LogNull's least scale.
class NullModel {
 public:
  /// `anchor` and `pool` outlive it. `file` has the anchor's tensors, with the same shapes, under their
  /// names. Holds two f32 copies of the weights, a third while it runs. Throws UsageError (a weight that is
  /// no number), MachineError.
  NullModel(const Model& anchor, const GgufFile& file, ThreadPool& pool);

  /// No weight has noise: every tensor of the file can hold the anchor's values as they are.
  bool is_exact() const { return squares_ == 0; }
  /// The anchor's weights with noise of the given seed.
  TextRun draw(uint64_t seed, const Sequences& sequences);
  /// The anchor's weights as our own encoder stores them: one healthy file, to see how far off the draws are.
  TextRun encoded(const Sequences& sequences);

  /// Bytes that it would hold for this anchor.
  static uint64_t memory_bytes(const Model& anchor);

 private:
  struct Noisy {
    const Weight* weight = nullptr;  // the anchor's
    size_t sub_elems = 1;
    std::vector<float> values, error;  // (n_experts * n_rows, n_cols)
    std::vector<float> anchor_rms;     // of each row
    double along = 0;                  // c
  };
  template <class Fill>
  TextRun run(const Sequences& sequences, const Fill& fill);

  const Model& anchor_;
  ThreadPool& pool_;
  std::vector<Noisy> weights_;
  double squares_ = 0;
};

}  // namespace assay
