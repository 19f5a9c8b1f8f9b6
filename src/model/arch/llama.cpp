// Llama 1-3.x, Mistral, TinyLlama, SmolLM, and Mixtral's experts.
#include "model/steps.h"

namespace assay {
namespace {

Hparams read_hparams(HparamReader& r) {
  // The q and k rows of llama files are permuted for a rotation of adjacent numbers.
  Hparams h = read_common_hparams(r, {.norm = Norm::Kind::rms, .rope_pairs = Rope::Pairs::adjacent});
  r.warn("attention.sliding_window",
         "is not followed: every layer attends to all positions, as in llama.cpp");
  return h;
}

Layer bind_layer(TensorBinder& file, const Hparams& h, size_t index) {
  Layer w;
  w.attn_norm = file.norm("attn_norm", h.d_model);
  steps::bind_attention(w, file, h, index);
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

extern const Architecture arch_llama{"llama", read_hparams, bind_layer, run_layer};

}  // namespace assay
