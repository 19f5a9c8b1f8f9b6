// GPT-2: learned positions instead of rotation, layer norms and biases throughout, a plain GELU FFN.
#include "model/steps.h"

namespace assay {
namespace {

Hparams read_hparams(HparamReader& r) {
  Hparams h = read_common_hparams(r, {.norm = Norm::Kind::layer, .rope_pairs = std::nullopt});
  h.has_position_embedding = true;
  return h;
}

Layer bind_layer(TensorBinder& file, const Hparams& h, size_t index) {
  Layer w;
  w.attn_norm = file.norm("attn_norm", h.d_model);
  steps::bind_attention(w, file, h, index);
  w.ffn_norm = file.norm("ffn_norm", h.d_model);
  steps::bind_plain_ffn(w, file, h);
  return w;
}

void run_layer(Ops& ops, const Layer& w, int layer, const Batch& batch, Workspace& a) noexcept {
  ops.norm({"attn_norm", layer}, a.normed, a.x, w.attn_norm);
  steps::project_qkv(ops, w, layer, a.normed, a);
  steps::attend(ops, w, layer, batch, a);
  steps::project_output(ops, w, layer, a);
  ops.add({"ffn_inp", layer}, a.x, a.projected);

  ops.norm({"ffn_norm", layer}, a.normed, a.x, w.ffn_norm);
  steps::plain_ffn(ops, w, layer, a.normed, Activation::gelu, a);
  ops.add({"l_out", layer}, a.x, a.projected);
}

}  // namespace

extern const Architecture arch_gpt2{"gpt2", read_hparams, bind_layer, run_layer};

}  // namespace assay
