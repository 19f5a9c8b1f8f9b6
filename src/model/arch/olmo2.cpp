// OLMo 2, OLMo 3: no norms before the blocks, only after them, and on the whole rows of q and k. OLMo 3 has
// local layers, which rotate without the context extension of the others.
#include "model/steps.h"

namespace assay {
namespace {

Hparams read_hparams(HparamReader& r) {
  Hparams h = read_common_hparams(r, {.norm = Norm::Kind::rms, .rope_pairs = Rope::Pairs::halves});
  read_local_layers(r, h, 0, 4);
  h.local.rope = read_local_rope(r, h, r.find_float("rope.freq_base", 10000, 1, 1e15));
  return h;
}

Layer bind_layer(TensorBinder& file, const Hparams& h, size_t index) {
  Layer w;
  steps::bind_attention(w, file, h, index);
  w.attn_q_norm = file.norm("attn_q_norm", h.q_dim());
  w.attn_k_norm = file.norm("attn_k_norm", h.kv_dim());
  w.attn_post_norm = file.norm("post_attention_norm", h.d_model);
  steps::bind_gated_ffn(w, file, h);
  w.ffn_post_norm = file.norm("post_ffw_norm", h.d_model);
  return w;
}

void run_layer(Ops& ops, const Layer& w, int layer, const Batch& batch, Workspace& a) noexcept {
  steps::project_qkv(ops, w, layer, a.x, a);
  steps::rotate_and_attend(ops, w, layer, batch, a);
  steps::project_output(ops, w, layer, a);
  ops.norm({"attn_post_norm", layer}, a.projected, a.projected, w.attn_post_norm);
  ops.add({"ffn_inp", layer}, a.x, a.projected);

  steps::gated_ffn(ops, w, layer, a.x, Activation::silu, a);
  ops.norm({"ffn_post_norm", layer}, a.projected, a.projected, w.ffn_post_norm);
  ops.add({"l_out", layer}, a.x, a.projected);
}

}  // namespace

extern const Architecture arch_olmo2{"olmo2", read_hparams, bind_layer, run_layer};

}  // namespace assay
