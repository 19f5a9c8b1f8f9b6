#include "model/model.h"

#include <fmt/ranges.h>

#include <limits>

#include "model/architecture.h"

namespace assay {
namespace {

std::string_view architecture_name(const GgufFile& file) {
  return file.metadata().need_string("general.architecture");
}

const Architecture& need_architecture(const GgufFile& file) {
  const std::string_view name = architecture_name(file);
  if (const Architecture* found = find_architecture(name)) return *found;
  throw Unsupported(file.metadata().place("general.architecture"),
                    fmt::format("\"{}\" is not an architecture that Assay runs: {}", printable(name),
                                fmt::join(architecture_names(), ", ")));
}

/// The rows of the token table, which the tokenizer's list must match where the file has one.
size_t need_vocab_size(const GgufFile& file, const Hparams& h, HparamReader& reader) {
  const Metadata& metadata = file.metadata();
  const TensorInfo* table = file.find("token_embd.weight");
  if (!table) throw Missing(metadata.place("token_embd.weight"), "the file has no such tensor");
  const uint64_t n_rows = table->n_rows();
  if (n_rows > size_t(1) << 28) throw BadValue(file.place(*table), "has too many rows for a vocabulary");
  const Array* tokens = metadata.find_array("tokenizer.ggml.tokens");
  if (tokens && tokens->n_elements != n_rows)
    throw ShapeMismatch(file.place(*table),
                        fmt::format("has {} rows, the vocabulary {} tokens", n_rows, tokens->n_elements));
  if (h.vocab_size != 0 && h.vocab_size != n_rows)
    reader.warn("vocab_size", "is not the number of rows of token_embd.weight, which is used");
  return size_t(n_rows);
}

}  // namespace

Model::Model(GgufFile file, size_t n_ctx) : file_(std::move(file)), architecture_(&need_architecture(file_)) {
  HparamReader reader(file_, std::string(architecture_->name), n_ctx);
  hparams_ = architecture_->read_hparams(reader);
  Hparams& h = hparams_;
  h.vocab_size = need_vocab_size(file_, h, reader);

  TensorBinder binder(*this);
  token_embd_ = binder.table("token_embd", h.vocab_size, h.d_model);
  if (h.has_position_embedding) position_embd_ = binder.table("position_embd", h.n_ctx_train, h.d_model);
  token_embd_norm_ = binder.find_norm("token_embd_norm", h.d_model);
  output_norm_ = binder.norm("output_norm", h.d_model);
  output_ = binder.find_linear("output", h.vocab_size, h.d_model);
  if (!output_) output_.weight = token_embd_;  // tied
  if (!h.rope.frequencies.empty())             // read with the hyperparameters
    for (const char* name : {"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"})
      binder.ignore(name);
  layers_.reserve(h.n_layers);
  for (size_t i = 0; i < h.n_layers; ++i) {
    binder.enter_layer(i);
    layers_.push_back(architecture_->bind_layer(binder, h, i));
  }
  for (const std::string& name : binder.unbound())
    warnings_.push_back(fmt::format("tensor {} is in the file and nothing uses it", printable(name)));
  for (std::string& warning : reader.warnings()) warnings_.push_back(std::move(warning));
}

size_t Model::max_context() const {
  return position_embd_ ? position_embd_->n_rows : size_t(std::numeric_limits<int32_t>::max());
}

std::vector<const Weight*> Model::product_weights() const {
  std::vector<const Weight*> found;
  const auto add = [&](const Linear& linear) {
    if (linear) found.push_back(linear.weight);
  };
  for (const Layer& w : layers_)
    for (const Linear* linear :
         {&w.attn_qkv, &w.attn_q, &w.attn_k, &w.attn_v, &w.attn_output, &w.ffn_gate, &w.ffn_up, &w.ffn_down,
          &w.ffn_gate_inp, &w.ffn_gate_exps, &w.ffn_up_exps, &w.ffn_down_exps})
      add(*linear);
  add(output_);
  return found;
}

void Workspace::resize(size_t n) {
  n_rows = n;
  for (Tensor* t : {&x, &normed, &projected, &qkv, &q, &k, &v, &mixed, &gate_up, &gate, &up, &router})
    t->n_rows = n;
  for (Tensor* t : {&expert_gate, &expert_up, &expert_down}) t->n_rows = n * routing.n_used;
}

std::unique_ptr<Workspace> Model::allocate(Ops& ops, size_t n_rows, size_t n_logit_rows) const {
  const Hparams& h = hparams_;
  auto a = std::make_unique<Workspace>();
  a->x = ops.allocate(n_rows, h.d_model);
  a->normed = ops.allocate(n_rows, h.d_model);
  a->projected = ops.allocate(n_rows, h.d_model);
  a->qkv = ops.allocate(n_rows, h.q_dim() + 2 * h.kv_dim());
  a->q = a->qkv.cols(0, h.q_dim());
  a->k = a->qkv.cols(h.q_dim(), h.kv_dim());
  a->v = a->qkv.cols(h.q_dim() + h.kv_dim(), h.kv_dim());
  a->mixed = ops.allocate(n_rows, h.q_dim());
  if (h.n_experts != 0) {
    const size_t n_slots = n_rows * h.route.n_used;
    a->router = ops.allocate(n_rows, h.n_experts);
    a->expert_gate = ops.allocate(n_slots, h.d_ff_expert);
    a->expert_up = ops.allocate(n_slots, h.d_ff_expert);
    a->expert_down = ops.allocate(n_slots, h.d_model);
    a->routing.n_used = h.route.n_used;
    a->routing.experts.reserve(n_slots);
    a->routing.weights.reserve(n_slots);
  } else {
    a->gate_up = ops.allocate(n_rows, 2 * h.d_ff);
    a->gate = a->gate_up.cols(0, h.d_ff);
    a->up = a->gate_up.cols(h.d_ff, h.d_ff);
  }
  a->logits = ops.allocate(n_logit_rows, h.vocab_size);
  a->resize(n_rows);
  return a;
}

void Model::run(Ops& ops, const Batch& batch, Workspace& a) const noexcept {
  a.resize(batch.size());
  ops.embed({"embd"}, a.x, *token_embd_, batch.ids);
  if (hparams_.embedding_scale != 1) ops.scale({"inp_scaled"}, a.x, hparams_.embedding_scale);
  if (position_embd_) {
    ops.embed({"pos_embd"}, a.projected, *position_embd_, batch.positions);
    ops.add({"inpL"}, a.x, a.projected);
  }
  if (token_embd_norm_) ops.norm({"inp_norm"}, a.x, a.x, token_embd_norm_);
  for (size_t i = 0; i < layers_.size(); ++i) architecture_->run_layer(ops, layers_[i], int(i), batch, a);
}

Tensor Model::logits(Ops& ops, Workspace& a, size_t begin, size_t count) const noexcept {
  const Tensor normed = a.normed.rows(begin, count), logits = a.logits.rows(0, count);
  ops.norm({"result_norm"}, normed, a.x.rows(begin, count), output_norm_);
  const Product product[] = {{{"result_output"}, logits, &output_}};
  ops.linear(product, normed);
  if (hparams_.logit_soft_cap != 0) ops.soft_cap({"result_output"}, logits, hparams_.logit_soft_cap);
  return logits;
}

}  // namespace assay
