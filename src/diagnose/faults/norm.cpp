// Faults of normalisation.
#include <cmath>

#include "diagnose/faults/ops_fault.h"
#include "diagnose/faults/source.h"

namespace assay {
namespace {

using namespace ops_fault;

bool is_final(Name name) {
  return is(name, "result_norm");
}

/// A norm that leaves its input as it is.
struct Skip final : ForwardOps {
  bool (*skips)(Name);
  Skip(Ops& inner, bool (*s)(Name)) : ForwardOps(inner), skips(s) {}
  void norm(Name name, Tensor out, Tensor in, const Norm& norm) noexcept override {
    if (!skips(name)) return inner().norm(name, out, in, norm);
    const Values values(inner(), in);
    inner().write(out, values.numbers.data());
  }
};

Wrapped with_epsilon(Ops& inner, const Model& m, double epsilon) {
  return change_norm(inner, std::abs(m.hparams().norm_epsilon - epsilon) > 1e-3 * epsilon,
                     [epsilon](Norm& n, Name) { n.epsilon = epsilon; });
}

bool has_plus_one(const Model& m) {
  return m.hparams().arch.starts_with("gemma");
}

void minus_one(Norm& n) {
  for (float& w : n.weight) w -= 1;
}

const Fault kFaults[] = {
    {"norm-epsilon-1e-6", FaultFamily::norm, "Epsilon is fixed at 1e-6; the file says otherwise.",
     "llama 2 and others", "slightly worse than the reference", "read attention.layer_norm_rms_epsilon",
     "https://github.com/ggml-org/llama.cpp/pull/2374",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped { return with_epsilon(inner, m, 1e-6); }}},
    {"norm-epsilon-1e-5", FaultFamily::norm, "Epsilon is fixed at 1e-5; the file says otherwise.",
     "qwen, gemma and others with 1e-6", "slightly worse than the reference",
     "read attention.layer_norm_rms_epsilon", "https://github.com/ggml-org/llama.cpp/issues/2373",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped { return with_epsilon(inner, m, 1e-5); }}},
    {"norm-epsilon-1e-3", FaultFamily::norm, "Epsilon is 1e-3.", "every model",
     "tokens of small norm come out too small", "read the epsilon from the file", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped { return with_epsilon(inner, m, 1e-3); }}},
    {"norm-layer-for-rms", FaultFamily::norm, "The mean is removed: layer norm where RMS norm belongs.",
     "llama, qwen, gemma, phi 3", "mild, because means are near 0",
     "RMS norm: x / sqrt(mean(x^2) + epsilon), no mean taken off",
     "https://github.com/ggml-org/llama.cpp/issues/173", OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_norm(inner, has_rms(m), [](Norm& n, Name) { n.kind = Norm::Kind::layer; });
     }}},
    {"norm-rms-for-layer", FaultFamily::norm, "The mean is not removed: RMS norm where layer norm belongs.",
     "gpt 2, starcoder 2, stablelm", "worse text", "layer norm: (x - mean) / sqrt(variance + epsilon)",
     kFromTheFormat, OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_norm(inner, has_layer_norm(m), [](Norm& n, Name) { n.kind = Norm::Kind::rms; });
     }}},
    {"norm-bias-missing", FaultFamily::norm, "Biases of layer norms are not added.",
     "gpt 2, starcoder 2, stablelm", "worse text", "add the norm's bias", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_norm(inner, any_layer(m, [](const Layer& w) { return !w.attn_norm.bias.empty(); }),
                          [](Norm& n, Name) { n.bias.clear(); });
     }}},
    {"norm-weight-plus-1", FaultFamily::norm,
     "1 is added to norm weights although the file has it in already.",
     "every model; gemma files carry w + 1", "activations too large in every layer; nonsense",
     "use the weights of a GGUF as they are", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_norm(inner, true, [](Norm& n, Name) {
         for (float& w : n.weight) w += 1;
       });
     }}},
    {"norm-weight-minus-1", FaultFamily::norm, "The 1 of gemma's (1 + w) is missing in every norm.", "gemma",
     "nonsense", "gemma multiplies by 1 + w; GGUF files hold the sum", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_norm(inner, has_plus_one(m), [](Norm& n, Name) { minus_one(n); });
     }}},
    {"norm-final-minus-1", FaultFamily::norm, "The 1 of gemma's (1 + w) is missing in the final norm.",
     "gemma", "coherent, perplexity twice as high", "load every norm by one function",
     "https://github.com/kekzl/imp/pull/1289", OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_norm(inner, has_plus_one(m), [](Norm& n, Name name) {
         if (is_final(name)) minus_one(n);
       });
     }}},
    {"norm-weight-twice", FaultFamily::norm, "Norm weights are multiplied in twice.", "every model",
     "activations shrink or grow layer by layer", "multiply in the kernel or after it, not both",
     "https://github.com/JunSuzukiJapan/rustorch/blob/275cc459c1eafeb14439f0b473b30f0b310853b8/"
     "METAL_GPU_DEBUGGING_STATUS.md",
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_norm(inner, true, [](Norm& n, Name) {
         for (float& w : n.weight) w *= w;
       });
     }}},
    {"norm-weight-missing", FaultFamily::norm, "Norm weights are not applied.", "every model", "nonsense",
     "multiply by the norm's weight", kFromTheFormat, OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_norm(inner, true, [](Norm& n, Name) { n.weight.clear(); });
     }}},
    {"norm-final-weight-missing", FaultFamily::norm, "The final norm's weight is not applied.", "every model",
     "layers are right, logits are not", "multiply by output_norm.weight", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_norm(inner, true, [](Norm& n, Name name) {
         if (is_final(name)) n.weight.clear();
       });
     }}},
    {"norm-final-missing", FaultFamily::norm, "The final norm is left out.", "every model",
     "layers are right, logits are of odd size", "normalise before the output product", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped { return std::make_unique<Skip>(inner, is_final); }}},
    {"norm-attention-missing", FaultFamily::norm, "attn_norm is left out.",
     "models with a norm before attention", "nonsense", "normalise the residual before q, k and v",
     kFromTheFormat, OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       if (!any_layer(m, [](const Layer& w) { return bool(w.attn_norm); })) return nullptr;
       return std::make_unique<Skip>(inner, [](Name name) { return is(name, "attn_norm"); });
     }}},
    {"norm-ffn-missing", FaultFamily::norm, "ffn_norm is left out.", "models with a norm before the FFN",
     "nonsense", "normalise the residual before gate and up", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       if (!any_layer(m, [](const Layer& w) { return bool(w.ffn_norm); })) return nullptr;
       return std::make_unique<Skip>(inner, [](Name name) { return is(name, "ffn_norm"); });
     }}},
    {"norm-post-missing", FaultFamily::norm, "Norms after attention and after the FFN are left out.",
     "gemma 2 and 3, olmo 2", "nonsense", "normalise each block's result before adding it", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       if (!any_layer(m, [](const Layer& w) { return bool(w.attn_post_norm); })) return nullptr;
       return std::make_unique<Skip>(
           inner, [](Name name) { return is(name, "attn_post_norm") || is(name, "ffn_post_norm"); });
     }}},
    {"norm-of-normed", FaultFamily::norm, "attn_norm is applied to its own result once more.",
     "models with a norm before attention", "nonsense", "feed each norm from the residual stream",
     "https://github.com/ggml-org/llama.cpp/commit/523e49b11",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       struct Twice final : ForwardOps {
         using ForwardOps::ForwardOps;
         void norm(Name name, Tensor out, Tensor in, const Norm& norm) noexcept override {
           inner().norm(name, out, in, norm);
           if (is(name, "attn_norm")) inner().norm(name, out, out, norm);
         }
       };
       if (!any_layer(m, [](const Layer& w) { return bool(w.attn_norm); })) return nullptr;
       return std::make_unique<Twice>(inner);
     }}},
    {"norm-sum-for-mean", FaultFamily::norm, "The sum of squares is not divided by the row's length.",
     "every model", "everything shrinks; uniform output", "mean of squares, not their sum",
     "https://github.com/huggingface/candle/commit/1a6303880",
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       struct Sum final : ForwardOps {
         using ForwardOps::ForwardOps;
         void norm(Name name, Tensor out, Tensor in, const Norm& healthy) noexcept override {
           Norm norm = healthy;
           norm.epsilon /= double(norm.group);  // x / sqrt(n mean + epsilon)
           for (float& w : norm.weight) w = float(double(w) / std::sqrt(double(norm.group)));
           inner().norm(name, out, in, norm);
         }
       };
       return std::make_unique<Sum>(inner);
     }}},
    {"norm-half-row", FaultFamily::norm, "Only the first half of a row is in the mean of squares.",
     "every model", "worse text; the ratio changes row by row", "reduce over all partial sums of the row",
     "https://github.com/ggml-org/ggml/commit/95414e59", OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       struct Half final : ForwardOps {
         using ForwardOps::ForwardOps;
         void norm(Name name, Tensor out, Tensor in, const Norm& norm) noexcept override {
           Values x(inner(), in);
           inner().norm(name, out, in, norm);
           Values y(inner(), out);
           for (size_t i = 0; i < x.n_rows; ++i)
             for (size_t begin = 0; begin < x.n_cols; begin += norm.group) {
               double all = 0, half = 0;
               for (size_t j = 0; j < norm.group; ++j) {
                 const double square = x.row(i)[begin + j] * x.row(i)[begin + j];
                 all += square;
                 if (j < norm.group / 2) half += square;
               }
               const double n = double(norm.group);
               for (size_t j = 0; j < norm.group; ++j)
                 y.row(i)[begin + j] *= std::sqrt((all / n + norm.epsilon) / (half / n + norm.epsilon));
             }
           inner().write(out, y.numbers.data());
         }
       };
       return has_rms(m) ? std::make_unique<Half>(inner) : nullptr;
     }}},
    {"norm-multiplies", FaultFamily::norm, "Rows are multiplied by their RMS instead of divided.",
     "RMS norms", "nonsense at once", "multiply by 1 / sqrt(mean(x^2) + epsilon)",
     "https://github.com/mosaicml/llm-foundry/issues/371",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       struct Multiply final : ForwardOps {
         using ForwardOps::ForwardOps;
         void norm(Name name, Tensor out, Tensor in, const Norm& norm) noexcept override {
           Values x(inner(), in);
           inner().norm(name, out, in, norm);
           Values y(inner(), out);
           for (size_t i = 0; i < x.n_rows; ++i)
             for (size_t begin = 0; begin < x.n_cols; begin += norm.group) {
               double sum = 0;
               for (size_t j = 0; j < norm.group; ++j) sum += x.row(i)[begin + j] * x.row(i)[begin + j];
               for (size_t j = 0; j < norm.group; ++j)
                 y.row(i)[begin + j] *= sum / double(norm.group) + norm.epsilon;
             }
           inner().write(out, y.numbers.data());
         }
       };
       return has_rms(m) ? std::make_unique<Multiply>(inner) : nullptr;
     }}},
    {"norm-weights-exchanged", FaultFamily::norm, "attn_norm and ffn_norm have each other's weights.",
     "models with both", "worse text", "bind norms by name", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       const Model* model = &m;
       return change_norm(inner, any_layer(m, [](const Layer& w) { return w.attn_norm && w.ffn_norm; }),
                          [model](Norm& n, Name name) {
                            if (name.layer < 0) return;
                            const Layer& w = model->layers()[size_t(name.layer)];
                            if (is(name, "attn_norm")) n = w.ffn_norm;
                            if (is(name, "ffn_norm")) n = w.attn_norm;
                          });
     }}},
};

}  // namespace

extern const std::span<const Fault> faults_norm = kFaults;

}  // namespace assay
