// Qwen3: q and k are normalised head by head before rotation.
#include "model/steps.h"

namespace assay {
namespace {

Hparams read_hparams(HparamReader& r) {
  return read_common_hparams(r, {.norm = Norm::Kind::rms, .rope_pairs = Rope::Pairs::halves});
}

Layer bind_layer(TensorBinder& file, const Hparams& h, size_t index) {
  Layer w;
  w.attn_norm = file.norm("attn_norm", h.d_model);
  steps::bind_attention(w, file, h, index);
  w.attn_q_norm = file.norm("attn_q_norm", h.q_dim(), h.head_dim);
  w.attn_k_norm = file.norm("attn_k_norm", h.kv_dim(), h.head_dim);
  w.ffn_norm = file.norm("ffn_norm", h.d_model);
  steps::bind_gated_ffn(w, file, h);
  return w;
}

void run_layer(Ops& ops, const Layer& w, int layer, const Batch& batch, Workspace& a) noexcept {
  ops.norm({"attn_norm", layer}, a.normed, a.x, w.attn_norm);
  steps::project_qkv(ops, w, layer, a.normed, a);
  steps::rotate_and_attend(ops, w, layer, batch, a);
  steps::project_output(ops, w, layer, a);
  ops.add({"ffn_inp", layer}, a.x, a.projected);

  ops.norm({"ffn_norm", layer}, a.normed, a.x, w.ffn_norm);
  steps::gated_ffn(ops, w, layer, a.normed, Activation::silu, a);
  ops.add({"l_out", layer}, a.x, a.projected);
}

}  // namespace

extern const Architecture arch_qwen3{"qwen3", read_hparams, bind_layer, run_layer};

}  // namespace assay
