// Faults of number formats and reductions.
#include <algorithm>
#include <cmath>

#include "base/half.h"
#include "diagnose/faults/ops_fault.h"
#include "diagnose/faults/source.h"

namespace assay {
namespace {

using namespace ops_fault;

double to_bf16(double x) {
  return double(bf16_to_float(float_to_bf16(float(x))));
}

bool is_residual(Name name) {
  return is(name, "ffn_inp") || is(name, "sa_out") || is(name, "l_out");
}

void round_to_int8(std::span<double> x, double top, double (*round)(double)) {
  const double d = top / 127;
  for (double& v : x) v = d == 0 ? 0 : d * round(v / d);
}
double largest(std::span<const double> x) {
  double top = 0;
  for (const double v : x) top = std::max(top, std::abs(v));
  return top;
}

const Fault kFaults[] = {
    {"activations-int8-row", FaultFamily::numerics,
     "Inputs of products are rounded to int8 with one scale for a whole row.",
     "every model; rows with outliers first", "worse text, more so with outliers",
     "one scale for each 32 (or 256) activations", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_inputs(inner, [](Name, Values& x) {
         for (size_t i = 0; i < x.n_rows; ++i)
           round_to_int8(x.row(i), largest(x.row(i)), [](double v) { return std::nearbyint(v); });
       });
     }}},
    {"activations-int8-batch", FaultFamily::numerics,
     "Inputs of products are rounded to int8 with one scale for the whole batch.",
     "every model; prompts with an outlier token",
     "a row's error depends on its neighbours; one token alone is right", "one scale a row or block",
     "https://github.com/paiml/aprender/issues/3807", OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_inputs(inner, [](Name, Values& x) {
         round_to_int8(x.numbers, largest(x.numbers), [](double v) { return std::nearbyint(v); });
       });
     }}},
    {"activations-int8-truncated", FaultFamily::numerics,
     "Inputs of products are cut to int8 towards zero, not rounded.", "every quantized model",
     "everything a little too small; worse text", "round to nearest", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_inputs(inner, [](Name, Values& x) {
         for (size_t begin = 0; begin < x.numbers.size(); begin += 32) {
           const std::span<double> block(x.numbers.data() + begin,
                                         std::min<size_t>(32, x.numbers.size() - begin));
           round_to_int8(block, largest(block), [](double v) { return std::trunc(v * (1 + 1e-5)); });
         }
       });
     }}},
    {"activations-int8-wrapped", FaultFamily::numerics,
     "The largest activation of each block becomes 128 and wraps to -128.", "every quantized model",
     "nonsense", "scale by 127, or saturate", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_inputs(inner, [](Name, Values& x) {
         for (size_t begin = 0; begin < x.numbers.size(); begin += 32) {
           const std::span<double> block(x.numbers.data() + begin,
                                         std::min<size_t>(32, x.numbers.size() - begin));
           const double d = largest(block) / 128;
           for (double& v : block) {
             const double q = d == 0 ? 0 : std::nearbyint(v / d);
             v = d * (q > 127 ? q - 256 : q);
           }
         }
       });
     }}},
    {"residual-bf16", FaultFamily::numerics, "The residual stream is kept as bf16.", "every model",
     "worse with depth", "keep the stream in f32", "https://github.com/huggingface/transformers/pull/36832",
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_results(inner, is_residual, [](Name, Values& x) {
         for (double& v : x.numbers) v = to_bf16(v);
       });
     }}},
    {"scores-bf16", FaultFamily::numerics, "Scores are rounded to bf16 before soft-max.", "every model",
     "worse where scores are large", "keep scores in f32",
     "https://github.com/ggml-org/llama.cpp/commit/f91fc5639",
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       AttentionRules rules;
       rules.score = [](double score, double, size_t, const AttentionParams&) { return to_bf16(score); };
       return change_rules(inner, true, rules);
     }}},
    {"softmax-fast-exp", FaultFamily::numerics, "The exponential of soft-max is (1 + x/256)^256.",
     "every model", "slightly worse text", "use an exponential good to 1e-6", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       struct FastExp final : ForwardOps {
         Wrapped ruled;
         explicit FastExp(Ops& inner) : ForwardOps(inner) {
           AttentionRules rules;  // exp(score') = (1 + score/256)^256, for scores below the top by up to 255
           rules.score = [](double score, double, size_t, const AttentionParams&) {
             return 256 * std::log(std::max(1 + score / 256, 1e-9));
           };
           ruled = change_rules(inner, true, rules);
         }
         void attention(Name name, size_t layer, Tensor out, Tensor q, const Batch& batch,
                        const AttentionParams& params) noexcept override {
           ruled->attention(name, layer, out, q, batch, params);
         }
       };
       return std::make_unique<FastExp>(inner);
     }}},
    {"products-bf16", FaultFamily::numerics, "Results of products are rounded to bf16.", "every model",
     "worse with depth", "accumulate and hand on in f32", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_results(
           inner,
           [](Name name) {
             const std::string_view b = name.base;
             return b == "Qcur" || b == "Kcur" || b == "Vcur" || b == "wqkv" || b == "attn_out" ||
                    b == "ffn_gate" || b == "ffn_up" || b == "ffn_out" || b == "result_output";
           },
           [](Name, Values& x) {
             for (double& v : x.numbers) v = to_bf16(v);
           });
     }}},
    {"products-tail-lost", FaultFamily::numerics, "The last 16 inputs of every row are left out of products.",
     "kernels whose vector is wider than the row's remainder", "slightly to much worse text",
     "handle the remainder of a row", kFromTheFormat, OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_inputs(inner, [](Name, Values& x) {
         for (size_t i = 0; i < x.n_rows; ++i)
           std::ranges::fill(x.row(i).last(std::min<size_t>(16, x.n_cols)), 0.0);
       });
     }}},
    {"products-half-lost", FaultFamily::numerics,
     "Of two partial sums over a row's halves, only the first is added.",
     "kernels that split a row between threads", "nonsense", "add up all partial sums",
     "https://github.com/ggml-org/ggml/commit/95414e59", OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_inputs(inner, [](Name, Values& x) {
         for (size_t i = 0; i < x.n_rows; ++i) std::ranges::fill(x.row(i).subspan(x.n_cols / 2), 0.0);
       });
     }}},
    {"products-last-row-zero", FaultFamily::numerics,
     "The last token of a batch is left out of products: zeros.", "kernels that compute tokens in tiles",
     "nothing sensible follows a prompt", "compute the last, partial tile", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_results(
           inner,
           [](Name name) {
             const std::string_view b = name.base;
             return b == "ffn_gate" || b == "ffn_up" || b == "ffn_moe_gate";
           },
           [](Name, Values& x) { std::ranges::fill(x.row(x.n_rows - 1), 0.0); });
     }}},
};

}  // namespace

extern const std::span<const Fault> faults_numerics = kFaults;

}  // namespace assay
