// Runs of operations that several architectures share, named so that a layer reads as a list of steps.
#pragma once
#include "model/architecture.h"

namespace assay::steps {

/// Binds attn_q, attn_k, attn_v (or the fused attn_qkv) and attn_output of layer number `index`.
void bind_attention(Layer& layer, TensorBinder& file, const Hparams& h, size_t index);
/// Binds ffn_gate, ffn_up, ffn_down, or the router and experts when the model has them.
void bind_gated_ffn(Layer& layer, TensorBinder& file, const Hparams& h);
/// Binds ffn_up and ffn_down.
void bind_plain_ffn(Layer& layer, TensorBinder& file, const Hparams& h);

/// a.q, a.k, a.v = projections of `in`, with the per-head or whole-row norms of q and k when the layer has
/// them.
void project_qkv(Ops& ops, const Layer& w, int layer, Tensor in, Workspace& a) noexcept;
/// Stores k and v, attends: a.mixed.
void attend(Ops& ops, const Layer& w, int layer, const Batch& batch, Workspace& a) noexcept;
/// The same with q and k rotated first.
void rotate_and_attend(Ops& ops, const Layer& w, int layer, const Batch& batch, Workspace& a) noexcept;
/// a.projected = attn_output of a.mixed.
void project_output(Ops& ops, const Layer& w, int layer, Workspace& a) noexcept;
/// a.projected = down(f(gate) * up) of `in`, dense (gate and up apart, or one matrix with gate's rows first)
/// or mixture of experts.
void gated_ffn(Ops& ops, const Layer& w, int layer, Tensor in, Activation f, Workspace& a) noexcept;
/// a.projected = down(f(up)) of `in`.
void plain_ffn(Ops& ops, const Layer& w, int layer, Tensor in, Activation f, Workspace& a) noexcept;

}  // namespace assay::steps
