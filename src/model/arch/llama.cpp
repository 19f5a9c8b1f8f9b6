// Llama 1-3.x, Mistral, TinyLlama, SmolLM, and Mixtral's experts.
#include "model/steps.h"

namespace assay {
namespace {

Layer bind_layer(TensorBinder& file, const Hparams& h, size_t) {
  Layer w;
  w.attn_norm = file.norm("attn_norm", h.d_model);
  steps::bind_attention(w, file, h);
  w.ffn_norm = file.norm("ffn_norm", h.d_model);
  steps::bind_gated_ffn(w, file, h);
  w.route.normalize = true;
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

// read_common_hparams pairs adjacent numbers in RoPE, as the q and k rows of llama files are permuted for.
extern const Architecture arch_llama{"llama", read_common_hparams, bind_layer, run_layer};

}  // namespace assay
