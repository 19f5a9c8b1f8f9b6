// Gemma 2: norms before and after each block, capped scores and logits, every second layer local.
#include <cmath>

#include "model/steps.h"

namespace assay {
namespace {

Hparams read_hparams(HparamReader& r) {
  Hparams h = read_common_hparams(r, {.norm = Norm::Kind::rms, .rope_pairs = Rope::Pairs::halves});
  h.embedding_scale = std::sqrt(double(h.d_model));
  // The 27B model, told by its 46 layers, scales by the width of a head's share of d_model.
  if (h.n_layers == 46) h.attention_scale = 1 / std::sqrt(double(h.d_model) / double(h.n_heads));
  h.attention_soft_cap = r.find_float("attn_logit_softcapping", 50, 0, 1e6);
  h.logit_soft_cap = r.find_float("final_logit_softcapping", 30, 0, 1e6);
  read_local_layers(r, h, 4096, 2);
  h.local.rope = h.rope;
  return h;
}

Layer bind_layer(TensorBinder& file, const Hparams& h, size_t index) {
  Layer w;
  w.attn_norm = file.norm("attn_norm", h.d_model);
  steps::bind_attention(w, file, h, index);
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

extern const Architecture arch_gemma2{"gemma2", read_hparams, bind_layer, run_layer};

}  // namespace assay
