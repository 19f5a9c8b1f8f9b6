#include "model/steps.h"

namespace assay::steps {

void bind_attention(Layer& layer, TensorBinder& file, const Hparams& h, size_t index) {
  layer.attention = h.attention_of(index);
  layer.rope = h.rope_of(index);
  if (file.has("attn_qkv")) {
    layer.attn_qkv = file.linear("attn_qkv", h.q_dim() + 2 * h.kv_dim(), h.d_model);
  } else {
    layer.attn_q = file.linear("attn_q", h.q_dim(), h.d_model);
    layer.attn_k = file.linear("attn_k", h.kv_dim(), h.d_model);
    layer.attn_v = file.linear("attn_v", h.kv_dim(), h.d_model);
  }
  layer.attn_output = file.linear("attn_output", h.d_model, h.q_dim());
}

void bind_gated_ffn(Layer& layer, TensorBinder& file, const Hparams& h) {
  if (h.n_experts == 0) {
    layer.ffn_gate = file.linear("ffn_gate", h.d_ff, h.d_model);
    layer.ffn_up = file.linear("ffn_up", h.d_ff, h.d_model);
    layer.ffn_down = file.linear("ffn_down", h.d_model, h.d_ff);
    return;
  }
  layer.route = h.route;
  file.refuse("ffn_gate.0", "holds one expert; Assay runs files with a layer's experts in one tensor");
  layer.ffn_gate_inp = file.linear("ffn_gate_inp", h.n_experts, h.d_model);
  layer.ffn_gate_exps = file.experts("ffn_gate_exps", h.n_experts, h.d_ff_expert, h.d_model);
  layer.ffn_up_exps = file.experts("ffn_up_exps", h.n_experts, h.d_ff_expert, h.d_model);
  layer.ffn_down_exps = file.experts("ffn_down_exps", h.n_experts, h.d_model, h.d_ff_expert);
}

void bind_plain_ffn(Layer& layer, TensorBinder& file, const Hparams& h) {
  layer.ffn_up = file.linear("ffn_up", h.d_ff, h.d_model);
  layer.ffn_down = file.linear("ffn_down", h.d_model, h.d_ff);
}

void project_qkv(Ops& ops, const Layer& w, int layer, Tensor in, Workspace& a) noexcept {
  if (w.attn_qkv) {
    const Product fused[] = {{{"wqkv", layer}, a.qkv, &w.attn_qkv}};
    ops.linear(fused, in);
  } else {
    const Product products[] = {{{"Qcur", layer}, a.q, &w.attn_q},
                                {{"Kcur", layer}, a.k, &w.attn_k},
                                {{"Vcur", layer}, a.v, &w.attn_v}};
    ops.linear(products, in);
  }
  if (w.attn_q_norm) ops.norm({"Qcur_normed", layer}, a.q, a.q, w.attn_q_norm);
  if (w.attn_k_norm) ops.norm({"Kcur_normed", layer}, a.k, a.k, w.attn_k_norm);
}

void attend(Ops& ops, const Layer& w, int layer, const Batch& batch, Workspace& a) noexcept {
  ops.store_kv(size_t(layer), a.k, a.v, batch);
  ops.attention({"kqv_out", layer}, size_t(layer), a.mixed, a.q, batch, w.attention);
}

void rotate_and_attend(Ops& ops, const Layer& w, int layer, const Batch& batch, Workspace& a) noexcept {
  ops.rope({"Qcur", layer}, a.q, w.attention.head_dim, w.rope, batch);
  ops.rope({"Kcur", layer}, a.k, w.attention.head_dim, w.rope, batch);
  attend(ops, w, layer, batch, a);
}

void project_output(Ops& ops, const Layer& w, int layer, Workspace& a) noexcept {
  const Product product[] = {{{"attn_out", layer}, a.projected, &w.attn_output}};
  ops.linear(product, a.mixed);
}

namespace {

void mixture_ffn(Ops& ops, const Layer& w, int layer, Tensor in, Activation f, Workspace& a) noexcept {
  const Product router[] = {{{"ffn_moe_logits", layer}, a.router, &w.ffn_gate_inp}};
  ops.linear(router, in);
  ops.route({"ffn_moe_topk", layer}, a.routing, a.router, w.route);
  const Product gate_up[] = {{{"ffn_moe_gate", layer}, a.expert_gate, &w.ffn_gate_exps},
                             {{"ffn_moe_up", layer}, a.expert_up, &w.ffn_up_exps}};
  ops.expert_linear(gate_up, in, a.routing);
  ops.activate_mul({"ffn_moe_swiglu", layer}, a.expert_gate, a.expert_up, f);
  const Product down[] = {{{"ffn_moe_down", layer}, a.expert_down, &w.ffn_down_exps}};
  ops.expert_linear(down, a.expert_gate, a.routing);
  ops.expert_sum({"ffn_moe_out", layer}, a.projected, a.expert_down, a.routing);
}

}  // namespace

void gated_ffn(Ops& ops, const Layer& w, int layer, Tensor in, Activation f, Workspace& a) noexcept {
  if (w.ffn_gate_exps) return mixture_ffn(ops, w, layer, in, f, a);
  if (w.ffn_gate) {
    const Product gate_up[] = {{{"ffn_gate", layer}, a.gate, &w.ffn_gate},
                               {{"ffn_up", layer}, a.up, &w.ffn_up}};
    ops.linear(gate_up, in);
  } else {  // gate and up are one matrix, gate's rows first
    const Product fused[] = {{{"ffn_up", layer}, a.gate_up, &w.ffn_up}};
    ops.linear(fused, in);
  }
  ops.activate_mul({f == Activation::silu ? "ffn_swiglu" : "ffn_geglu", layer}, a.gate, a.up, f);
  const Product down[] = {{{"ffn_out", layer}, a.projected, &w.ffn_down}};
  ops.linear(down, a.gate);
}

void plain_ffn(Ops& ops, const Layer& w, int layer, Tensor in, Activation f, Workspace& a) noexcept {
  const Product up[] = {{{"ffn_up", layer}, a.up, &w.ffn_up}};
  ops.linear(up, in);
  ops.activate({f == Activation::silu ? "ffn_silu" : "ffn_gelu", layer}, a.up, f);
  const Product down[] = {{{"ffn_out", layer}, a.projected, &w.ffn_down}};
  ops.linear(down, a.up);
}

}  // namespace assay::steps
