// Gemma 3 (text): norms before and after each block and on the heads of q and k; five of six layers local,
// with a rotation of their own.
#include <cmath>

#include "model/steps.h"

namespace assay {
namespace {

Hparams read_hparams(HparamReader& r) {
  Hparams h = read_common_hparams(r, {.norm = Norm::Kind::rms, .rope_pairs = Rope::Pairs::halves});
  h.embedding_scale = std::sqrt(double(h.d_model));
  // The 27B model, told by its 62 layers, scales by the width of a head's share of d_model.
  if (h.n_layers == 62) h.attention_scale = 1 / std::sqrt(double(h.d_model) / double(h.n_heads));
  h.logit_soft_cap = r.find_float("final_logit_softcapping", 0, 0, 1e6);
  read_local_layers(r, h, 0, 6);
  h.local.rope = read_local_rope(r, h, 10000);
  return h;
}

Layer bind_layer(TensorBinder& file, const Hparams& h, size_t index) {
  Layer w;
  w.attn_norm = file.norm("attn_norm", h.d_model);
  steps::bind_attention(w, file, h, index);
  w.attn_q_norm = file.norm("attn_q_norm", h.q_dim(), h.head_dim);
  w.attn_k_norm = file.norm("attn_k_norm", h.kv_dim(), h.head_dim);
  w.attn_post_norm = file.norm("post_attention_norm", h.d_model);
  w.ffn_norm = file.norm("ffn_norm", h.d_model);
  steps::bind_gated_ffn(w, file, h);
  w.ffn_post_norm = file.norm("post_ffw_norm", h.d_model);
  return w;
}

void run_layer(Ops& ops, const Layer& w, int layer, const Batch& batch, Workspace& a) noexcept {
  ops.norm({"attn_norm", layer}, a.normed, a.x, w.attn_norm);
  steps::project_qkv(ops, w, layer, a.normed, a);
  steps::rotate_and_attend(ops, w, layer, batch, a);
  steps::project_output(ops, w, layer, a);
  ops.norm({"attn_post_norm", layer}, a.projected, a.projected, w.attn_post_norm);
  ops.add({"sa_out", layer}, a.x, a.projected);

  ops.norm({"ffn_norm", layer}, a.normed, a.x, w.ffn_norm);
  steps::gated_ffn(ops, w, layer, a.normed, Activation::gelu, a);
  ops.norm({"ffn_post_norm", layer}, a.projected, a.projected, w.ffn_post_norm);
  ops.add({"l_out", layer}, a.x, a.projected);
}

}  // namespace

extern const Architecture arch_gemma3{"gemma3", read_hparams, bind_layer, run_layer};

}  // namespace assay
