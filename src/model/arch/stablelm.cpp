// StableLM, StableLM 2: layer norms, a rotation of the first part of each head. The 12B model also normalises
// the heads of q and k, each by weights of its own, and feeds the FFN from the attention's norm.
#include "model/steps.h"

namespace assay {
namespace {

Hparams read_hparams(HparamReader& r) {
  Hparams h = read_common_hparams(r, {.norm = Norm::Kind::layer, .rope_pairs = Rope::Pairs::halves});
  r.ignore("use_parallel_residual");  // files of sequential models say true; the absence of ffn_norm decides
  return h;
}

Layer bind_layer(TensorBinder& file, const Hparams& h, size_t index) {
  Layer w;
  w.attn_norm = file.norm("attn_norm", h.d_model);
  steps::bind_attention(w, file, h, index);
  w.attn_q_norm = file.find_norm("attn_q_norm", h.q_dim(), h.head_dim);
  w.attn_k_norm = file.find_norm("attn_k_norm", h.kv_dim(), h.head_dim);
  w.ffn_norm = file.find_norm("ffn_norm", h.d_model);
  steps::bind_gated_ffn(w, file, h);
  return w;
}

void run_layer(Ops& ops, const Layer& w, int layer, const Batch& batch, Workspace& a) noexcept {
  ops.norm({"attn_norm", layer}, a.normed, a.x, w.attn_norm);
  steps::project_qkv(ops, w, layer, a.normed, a);
  steps::rotate_and_attend(ops, w, layer, batch, a);
  steps::project_output(ops, w, layer, a);
  ops.add({"ffn_inp", layer}, a.x, a.projected);

  const bool parallel = !w.ffn_norm;  // a.normed still holds the attention's norm
  if (!parallel) ops.norm({"ffn_norm", layer}, a.normed, a.x, w.ffn_norm);
  steps::gated_ffn(ops, w, layer, a.normed, Activation::silu, a);
  ops.add({"l_out", layer}, a.x, a.projected);
}

}  // namespace

extern const Architecture arch_stablelm{"stablelm", read_hparams, bind_layer, run_layer};

}  // namespace assay
