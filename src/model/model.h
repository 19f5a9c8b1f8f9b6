// A loaded model: hyperparameters, weights bound by name, and the forward pass as calls on the op set.
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "gguf/gguf.h"
#include "model/hparams.h"
#include "ops/ops.h"

namespace assay {

/// One layer's parameters; each spelled as its tensor. What an architecture does not have stays absent.
struct Layer {
  Norm attn_norm, attn_q_norm, attn_k_norm, attn_post_norm, ffn_norm, ffn_post_norm;
  Linear attn_qkv, attn_q, attn_k, attn_v, attn_output;
  Linear ffn_gate, ffn_up, ffn_down;
  Linear ffn_gate_inp, ffn_gate_exps, ffn_up_exps, ffn_down_exps;
  RouteParams route;
  AttentionParams attention;
  Rope rope;
};

/// The activations of a forward pass, one row a token. q, k, v are columns of qkv; gate, up are columns of
/// gate_up.
struct Workspace {
  Tensor x, normed, projected;                 // (n, d_model)
  Tensor qkv, q, k, v;                         // (n, q_dim + 2 kv_dim) and its parts
  Tensor mixed;                                // (n, q_dim): attention's result
  Tensor gate_up, gate, up;                    // (n, 2 d_ff) and its halves
  Tensor router;                               // (n, n_experts)
  Tensor expert_gate, expert_up, expert_down;  // (n * n_experts_used, d_ff_expert or d_model)
  Routing routing;
  Tensor logits;  // (n_logit_rows, vocab_size)
  size_t n_rows = 0;

  /// The same buffers cut to a batch of `n` rows.
  void resize(size_t n);
};

struct Architecture;

class Model {
 public:
  /// Binds every tensor of `file`. `n_ctx` is the length of the caches it will run with, by which LongRoPE
  /// chooses its factors; 0: the training context. Throws LoadError: unknown architecture, missing or
  /// mis-shaped tensor, bad key.
  explicit Model(GgufFile file, size_t n_ctx = 0);
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const GgufFile& file() const { return file_; }
  const Hparams& hparams() const { return hparams_; }
  const std::vector<Layer>& layers() const { return layers_; }
  /// The longest cache it can run with: learned positions end with their table, rotations do not.
  size_t max_context() const;
  /// Weights that products use, for Ops::load.
  std::vector<const Weight*> product_weights() const;
  /// Every weight that was bound.
  const std::deque<Weight>& weights() const { return weights_; }
  /// Tensors that nothing bound, keys that nothing understood or that are not followed, by name.
  const std::vector<std::string>& warnings() const { return warnings_; }

  /// Buffers for batches of up to n_rows tokens and n_logit_rows rows of logits at once.
  std::unique_ptr<Workspace> allocate(Ops& ops, size_t n_rows, size_t n_logit_rows) const;
  /// Runs the layers over the batch; the residual stream is in a.x afterwards, k and v are in the caches.
  void run(Ops& ops, const Batch& batch, Workspace& a) const noexcept;
  /// Logits of rows [begin, begin + count) of the last batch: a tensor (count, vocab_size), count <=
  /// n_logit_rows.
  Tensor logits(Ops& ops, Workspace& a, size_t begin, size_t count) const noexcept;

 private:
  friend class TensorBinder;
  GgufFile file_;
  const Architecture* architecture_ = nullptr;
  Hparams hparams_;
  std::deque<Weight> weights_;
  const Weight* token_embd_ = nullptr;
  const Weight* position_embd_ = nullptr;
  Norm token_embd_norm_, output_norm_;
  Linear output_;
  std::vector<Layer> layers_;
  std::vector<std::string> warnings_;
};

}  // namespace assay
