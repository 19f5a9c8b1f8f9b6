// Faults of the residual stream, multipliers, the embedding and the output head.
#include <algorithm>
#include <cmath>

#include "diagnose/faults/ops_fault.h"
#include "diagnose/faults/source.h"

namespace assay {
namespace {

using namespace ops_fault;

bool adds_attention(Name name) {
  return is(name, "ffn_inp") || is(name, "sa_out");
}
bool adds_ffn(Name name) {
  return is(name, "l_out");
}
bool is_residual(Name name) {
  return adds_attention(name) || adds_ffn(name);
}
bool is_embedding(Name name) {
  return is(name, "embd");
}
bool is_output(Name name) {
  return is(name, "result_output");
}

const Weight* find_weight(const Model& m, std::string_view name) {
  for (const Weight& w : m.weights())
    if (w.name == name) return &w;
  return nullptr;
}

Wrapped scaled_output(Ops& inner, double factor) {
  return change_linear(inner, true, [factor](Linear& linear, Name name) {
    if (!is_output(name)) return;
    if (linear.scale.empty()) linear.scale.push_back(1);
    for (float& s : linear.scale) s = float(s * factor);
  });
}

const Fault kFaults[] = {
    {"residual-attention-missing", FaultFamily::head,
     "Attention's result is not added to the residual stream.", "every model", "a bag of words",
     "x += attention", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped { return skip_additions(inner, adds_attention); }}},
    {"residual-ffn-missing", FaultFamily::head, "The FFN's result is not added to the residual stream.",
     "every model", "nonsense", "x += ffn", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped { return skip_additions(inner, adds_ffn); }}},
    {"residual-replaced", FaultFamily::head, "Attention's result replaces the residual stream.",
     "every model", "nonsense", "add to the stream: x = x + attention", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       struct Replace final : ForwardOps {
         using ForwardOps::ForwardOps;
         void add(Name name, Tensor x, Tensor y) noexcept override {
           if (!adds_attention(name)) return inner().add(name, x, y);
           const Values values(inner(), y);
           inner().write(x, values.numbers.data());
         }
       };
       return std::make_unique<Replace>(inner);
     }}},
    {"residual-clipped", FaultFamily::head, "The residual stream is clipped to +-1 \"for stability\".",
     "every model; real ones carry outliers of 100 and more", "nonsense; one largest value in every layer",
     "do not clip",
     "https://github.com/JunSuzukiJapan/rustorch/blob/275cc459c1eafeb14439f0b473b30f0b310853b8/"
     "METAL_GPU_DEBUGGING_STATUS.md",
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_results(inner, is_residual, [](Name, Values& x) {
         for (double& v : x.numbers) v = std::clamp(v, -1.0, 1.0);
       });
     }}},
    {"residual-halved", FaultFamily::head,
     "Each block's result counts half: a residual multiplier where there is none.",
     "models without residual_scale", "coherent at first, then odd",
     "no multiplier unless ARCH.residual_scale says so", "https://github.com/chrishayuk/larql/pull/276",
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       struct Halve final : ForwardOps {
         using ForwardOps::ForwardOps;
         void add(Name name, Tensor x, Tensor y) noexcept override {
           if (is_residual(name)) {
             Values values(inner(), y);
             for (double& v : values.numbers) v *= 0.5;
             inner().write(y, values.numbers.data());
           }
           inner().add(name, x, y);
         }
       };
       return std::make_unique<Halve>(inner);
     }}},
    {"residual-parallel", FaultFamily::head,
     "The FFN reads the stream as it was before attention (parallel blocks).",
     "sequential models with a norm before the FFN", "worse text",
     "normalise the stream after attention was added", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       struct Parallel final : ForwardOps {
         using ForwardOps::ForwardOps;
         std::vector<double> before;
         void add(Name name, Tensor x, Tensor y) noexcept override {
           if (adds_attention(name)) before = Values(inner(), x).numbers;
           inner().add(name, x, y);
         }
         void norm(Name name, Tensor out, Tensor in, const Norm& norm) noexcept override {
           if (!is(name, "ffn_norm") || before.empty()) return inner().norm(name, out, in, norm);
           inner().write(out, before.data());
           inner().norm(name, out, out, norm);
         }
       };
       const bool touches = any_layer(m, [](const Layer& w) { return w.attn_norm && w.ffn_norm; });
       return touches ? std::make_unique<Parallel>(inner) : nullptr;
     }}},
    {"residual-from-normed", FaultFamily::head, "Attention's result is added to the normalised stream.",
     "models with a norm before attention", "nonsense", "keep the stream; the norm writes elsewhere",
     kFromTheFormat, OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       struct Normed final : ForwardOps {
         using ForwardOps::ForwardOps;
         std::vector<double> normed;
         void norm(Name name, Tensor out, Tensor in, const Norm& norm) noexcept override {
           inner().norm(name, out, in, norm);
           if (is(name, "attn_norm")) normed = Values(inner(), out).numbers;
         }
         void add(Name name, Tensor x, Tensor y) noexcept override {
           if (adds_attention(name) && !normed.empty()) inner().write(x, normed.data());
           inner().add(name, x, y);
         }
       };
       const bool touches = any_layer(m, [](const Layer& w) { return bool(w.attn_norm); });
       return touches ? std::make_unique<Normed>(inner) : nullptr;
     }}},
    {"last-layer-missing", FaultFamily::head, "The last layer is not run.", "every model", "worse text",
     "block_count layers, 0 to block_count - 1", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       const int last = int(m.hparams().n_layers) - 1;
       return skip_additions(inner, [last](Name name) { return is_residual(name) && name.layer == last; });
     }}},
    {"embedding-scale-missing", FaultFamily::head, "Embeddings are not multiplied by sqrt(d_model).", "gemma",
     "nonsense", "scale the token's row by sqrt(d_model)", "https://github.com/OpenNMT/CTranslate2/pull/1882",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       struct Unscaled final : ForwardOps {
         using ForwardOps::ForwardOps;
         void scale(Name name, Tensor x, double factor) noexcept override {
           if (!is(name, "inp_scaled")) inner().scale(name, x, factor);
         }
       };
       return m.hparams().embedding_scale != 1 ? std::make_unique<Unscaled>(inner) : nullptr;
     }}},
    {"embedding-scaled", FaultFamily::head, "Embeddings are multiplied by sqrt(d_model), as gemma's.",
     "models other than gemma", "layers change the stream too little; nonsense",
     "scale embeddings for gemma alone", kFromTheFormat, OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       const double factor = std::sqrt(double(m.hparams().d_model));
       return change_results(
           inner, is_embedding,
           [factor](Name, Values& x) {
             for (double& v : x.numbers) v *= factor;
           },
           m.hparams().embedding_scale == 1);
     }}},
    {"embedding-next-row", FaultFamily::head, "Token t gets row t + 1 of token_embd.", "every model",
     "nonsense", "row t begins at t * row_bytes", "https://github.com/FlashML-org/FreeToken/issues/188",
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       struct NextRow final : ForwardOps {
         using ForwardOps::ForwardOps;
         void embed(Name name, Tensor out, const Weight& table,
                    std::span<const int32_t> ids) noexcept override {
           if (!is_embedding(name)) return inner().embed(name, out, table, ids);
           std::vector<int32_t> next(ids.begin(), ids.end());
           for (int32_t& id : next) id = int32_t(size_t(id + 1) % table.n_rows);
           inner().embed(name, out, table, next);
         }
       };
       return std::make_unique<NextRow>(inner);
     }}},
    {"position-embedding-missing", FaultFamily::head, "Learned positions are not added.", "gpt 2",
     "a bag of words", "add row p of position_embd", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       if (!m.hparams().has_position_embedding) return nullptr;
       return skip_additions(inner, [](Name name) { return is(name, "inpL"); });
     }}},
    {"position-embedding-off-by-2", FaultFamily::head, "Learned positions begin at row 2, as OPT's do.",
     "gpt 2", "worse text", "position p is row p of position_embd", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       struct Shift final : ForwardOps {
         using ForwardOps::ForwardOps;
         void embed(Name name, Tensor out, const Weight& table,
                    std::span<const int32_t> ids) noexcept override {
           if (!is(name, "pos_embd")) return inner().embed(name, out, table, ids);
           std::vector<int32_t> shifted(ids.begin(), ids.end());
           for (int32_t& id : shifted) id = std::min(id + 2, int32_t(table.n_rows) - 1);
           inner().embed(name, out, table, shifted);
         }
       };
       return m.hparams().has_position_embedding ? std::make_unique<Shift>(inner) : nullptr;
     }}},
    {"head-tied", FaultFamily::head, "Logits are taken with token_embd although the file has output.weight.",
     "models with an output of their own", "layers are right, tokens are random",
     "use output.weight when it is there", "https://github.com/ggml-org/llama.cpp/commit/57e2a7a52",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       const Weight* embedding = find_weight(m, "token_embd.weight");
       return change_linear(inner, find_weight(m, "output.weight") != nullptr,
                            [embedding](Linear& linear, Name name) {
                              if (is_output(name)) linear.weight = embedding;
                            });
     }}},
    {"head-zero", FaultFamily::head, "The head of a model with tied weights is left empty: every logit is 0.",
     "files without output.weight", "the same token for ever", "use token_embd where output.weight is absent",
     "https://github.com/tinygrad/tinygrad/pull/13796", OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return find_weight(m, "output.weight") ? nullptr : scaled_output(inner, 0);
     }}},
    {"head-previous-row", FaultFamily::head, "Logits are those of the row before.",
     "prompts of more than one token", "repeats the prompt's end",
     "take the row of the sequence's last token", "https://github.com/utensils/mold/issues/1690",
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_results(inner, is_output, [](Name, Values& x) {
         for (size_t i = x.n_rows - 1; i > 0; --i)
           std::copy_n(x.row(i - 1).begin(), x.n_cols, x.row(i).begin());
       });
     }}},
    {"head-soft-cap-missing", FaultFamily::head, "Logits are not capped.", "gemma 2",
     "greedy text is the same, sampling too peaky", "cap * tanh(logit / cap) with final_logit_softcapping",
     "https://github.com/sgl-project/sglang/pull/1046", OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       struct Uncapped final : ForwardOps {
         using ForwardOps::ForwardOps;
         void soft_cap(Name, Tensor, double) noexcept override {}
       };
       return m.hparams().logit_soft_cap != 0 ? std::make_unique<Uncapped>(inner) : nullptr;
     }}},
    {"head-soft-capped", FaultFamily::head, "Logits are capped at 30, as gemma 2's.",
     "models without final_logit_softcapping", "greedy text is the same, sampling too flat",
     "cap only where the file says so", kFromTheFormat, OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_results(
           inner, is_output,
           [](Name, Values& x) {
             for (double& v : x.numbers) v = 30 * std::tanh(v / 30);
           },
           m.hparams().logit_soft_cap == 0);
     }}},
    {"head-scaled", FaultFamily::head, "Logits are divided by sqrt(d_model).", "models without logit_scale",
     "greedy text is the same, sampling nearly uniform", "no scale unless the file says so",
     "https://github.com/vllm-project/vllm/pull/35026", OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return scaled_output(inner, 1 / std::sqrt(double(m.hparams().d_model)));
     }}},
};

}  // namespace

extern const std::span<const Fault> faults_head = kFaults;

}  // namespace assay
