// Faults of the feed-forward network: gate, up, down, activation functions, experts.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "diagnose/faults/ops_fault.h"
#include "diagnose/faults/source.h"

namespace assay {
namespace {

using namespace ops_fault;

double silu(double x) {
  return x / (1 + std::exp(-x));
}
double gelu_tanh(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
double gelu_erf(double x) {
  return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
}

bool uses_gelu(const Model& m) {
  const std::string& arch = m.hparams().arch;
  return arch.starts_with("gemma") || arch == "gpt2" || arch == "starcoder2";
}

bool is_activation(Name name) {
  const std::string_view base = name.base;
  return base == "ffn_swiglu" || base == "ffn_geglu" || base == "ffn_gelu" || base == "ffn_silu" ||
         base == "ffn_moe_swiglu";
}

/// Gate and up by the other's place.
struct Exchanged final : ForwardOps {
  using ForwardOps::ForwardOps;
  void activate_mul(Name name, Tensor gate, Tensor up, Activation f) noexcept override {
    const Values g(inner(), gate), u(inner(), up);
    inner().write(gate, u.numbers.data());
    inner().write(up, g.numbers.data());
    inner().activate_mul(name, gate, up, f);
  }
};

const Fault kFaults[] = {
    {"ffn-gate-up-exchanged", FaultFamily::ffn, "The activation is on up, not on gate.",
     "gated FFNs: llama, qwen, gemma, phi 3", "nonsense",
     "down(f(gate(x)) * up(x)); fused tensors hold gate's rows first", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return has_gate(m) ? std::make_unique<Exchanged>(inner) : nullptr;
     }}},
    {"ffn-activation-of-product", FaultFamily::ffn, "The activation is on the product gate * up.",
     "gated FFNs", "nonsense", "activate gate, then multiply",
     "https://github.com/ml-explore/mlx-lm/pull/767", OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_activation(
           inner, has_gate(m),
           uses_gelu(m) ? [](double g, double u) { return gelu_tanh(g * u); }
                        : [](double g, double u) { return silu(g * u); });
     }}},
    {"ffn-silu-for-gelu", FaultFamily::ffn, "SiLU where the architecture has GELU.",
     "gemma, gpt 2, starcoder 2", "coherent but worse", "choose the activation by architecture",
     "https://github.com/huggingface/candle/issues/3745", OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_activation(inner, uses_gelu(m), [](double g, double u) { return silu(g) * u; });
     }}},
    {"ffn-gelu-for-silu", FaultFamily::ffn, "GELU where the architecture has SiLU.",
     "llama, qwen, phi 3, olmo", "coherent but worse", "choose the activation by architecture",
     "https://github.com/vllm-project/vllm/issues/3411", OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_activation(inner, !uses_gelu(m), [](double g, double u) { return gelu_tanh(g) * u; });
     }}},
    {"ffn-gelu-erf", FaultFamily::ffn, "GELU by the error function where the tanh form belongs.",
     "gemma, gpt 2, starcoder 2", "differences of 1e-3 in each layer", "use the tanh form",
     "https://github.com/huggingface/candle/pull/3747", OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_activation(inner, uses_gelu(m), [](double g, double u) { return gelu_erf(g) * u; });
     }}},
    {"ffn-gelu-quick", FaultFamily::ffn, "x * sigmoid(1.702 x) where the tanh form of GELU belongs.",
     "gemma, gpt 2, starcoder 2", "differences of 1e-2 in each layer", "use the tanh form", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_activation(inner, uses_gelu(m),
                                [](double g, double u) { return g / (1 + std::exp(-1.702 * g)) * u; });
     }}},
    {"ffn-relu", FaultFamily::ffn, "ReLU instead of the smooth activation.", "every model",
     "coherent but worse", "choose the activation by architecture", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_activation(inner, true, [](double g, double u) { return std::max(g, 0.0) * u; });
     }}},
    {"ffn-sigmoid", FaultFamily::ffn, "Sigmoid instead of SiLU: the factor x is missing.", "every model",
     "nonsense", "SiLU is x * sigmoid(x)", kFromTheFormat, OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_activation(inner, true, [](double g, double u) { return u / (1 + std::exp(-g)); });
     }}},
    {"ffn-activation-missing", FaultFamily::ffn, "No activation function: gate * up.", "every model",
     "nonsense", "activate gate (or up, in plain FFNs)", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_activation(inner, true, [](double g, double u) { return g * u; });
     }}},
    {"ffn-up-ignored", FaultFamily::ffn, "The activated gate is not multiplied by up.", "gated FFNs",
     "nonsense", "multiply by up", kFromTheFormat, OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_activation(
           inner, has_gate(m),
           uses_gelu(m) ? [](double g, double) { return gelu_tanh(g); }
                        : [](double g, double) { return silu(g); });
     }}},
    {"ffn-half-width", FaultFamily::ffn, "The second half of the FFN's width is not computed.", "every model",
     "fluent but wrong", "loop to feed_forward_length; do not derive it from d_model", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       return change_results(inner, is_activation, [](Name, Values& x) {
         for (size_t i = 0; i < x.n_rows; ++i)
           std::fill(x.row(i).begin() + ptrdiff_t(x.n_cols / 2), x.row(i).end(), 0.0);
       });
     }}},
    {"ffn-bias-missing", FaultFamily::ffn, "Biases of the FFN are not added.", "gpt 2, starcoder 2",
     "worse text", "add ffn_up.bias and ffn_down.bias", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_linear(
           inner,
           any_layer(m, [](const Layer& w) { return !w.ffn_up.bias.empty() || !w.ffn_down.bias.empty(); }),
           [](Linear& linear, Name name) {
             if (is(name, "ffn_up") || is(name, "ffn_gate") || is(name, "ffn_out")) linear.bias.clear();
           });
     }}},
    {"moe-lowest-experts", FaultFamily::ffn, "The experts with the lowest scores are chosen.",
     "mixtures of experts", "nonsense", "sort router logits from high to low", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_routing(inner, has_experts(m), [](Routing& r, const RouteParams&, Values& logits) {
         std::vector<int32_t> order(logits.n_cols);
         for (size_t i = 0; i < logits.n_rows; ++i) {
           std::iota(order.begin(), order.end(), 0);
           const std::span<double> x = logits.row(i);
           std::stable_sort(order.begin(), order.end(),
                            [&](int32_t a, int32_t b) { return x[size_t(a)] < x[size_t(b)]; });
           std::copy_n(order.begin(), r.n_used, r.experts.begin() + ptrdiff_t(i * r.n_used));
         }
       });
     }}},
    {"moe-next-expert", FaultFamily::ffn, "Expert e + 1 computes what expert e should.",
     "mixtures of experts", "nonsense", "expert e begins at e * n_rows * row_bytes of its tensor",
     kFromTheFormat, OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       const size_t n = m.hparams().n_experts;
       return change_routing(inner, n > 1, [n](Routing& r, const RouteParams&, Values&) {
         for (int32_t& e : r.experts) e = int32_t(size_t(e + 1) % n);
       });
     }}},
    {"moe-first-half-only", FaultFamily::ffn, "Experts of the upper half are never chosen.",
     "mixtures of experts", "much worse text", "let every expert into the selection",
     "https://github.com/kekzl/imp/pull/2056", OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       const size_t n = m.hparams().n_experts;
       return change_routing(inner, n > 1, [n](Routing& r, const RouteParams&, Values&) {
         for (int32_t& e : r.experts) e = int32_t(size_t(e) % (n / 2));
       });
     }}},
    {"moe-weights-not-normalised", FaultFamily::ffn,
     "The chosen experts' weights are not divided by their sum.", "mixtral, qwen 3 moe",
     "starts coherent, drifts", "renormalise where the architecture does (norm_topk_prob)",
     "https://github.com/lablup/mlxcel/pull/391", OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_route_params(
           inner,
           any_layer(m, [](const Layer& w) { return w.route.normalize && w.route.n_used > 0; }) &&
               has_experts(m) && m.hparams().route.order == RouteParams::Order::softmax_then_top &&
               m.hparams().route.n_used < m.hparams().n_experts,
           [](RouteParams& p) { p.normalize = false; });
     }}},
    {"moe-weights-uniform", FaultFamily::ffn, "Chosen experts count the same.",
     "mixtures that use more than one expert a token", "slightly worse text",
     "weigh experts by soft-max of the router's logits", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_routing(inner, has_experts(m) && m.hparams().route.n_used > 1,
                             [](Routing& r, const RouteParams&, Values&) {
                               std::fill(r.weights.begin(), r.weights.end(), 1 / double(r.n_used));
                             });
     }}},
    {"moe-weights-reversed", FaultFamily::ffn, "The best expert gets the last one's weight, and the reverse.",
     "mixtures that use more than one expert a token", "worse text", "keep ids and weights in one order",
     kFromTheFormat, OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_routing(inner, has_experts(m) && m.hparams().route.n_used > 1,
                             [](Routing& r, const RouteParams&, Values&) {
                               for (size_t i = 0; i < r.weights.size(); i += r.n_used)
                                 std::reverse(r.weights.begin() + ptrdiff_t(i),
                                              r.weights.begin() + ptrdiff_t(i + r.n_used));
                             });
     }}},
    {"moe-sigmoid-gate", FaultFamily::ffn, "Weights are sigmoids of router logits, not soft-max.",
     "mixtures with soft-max gating", "drifts", "follow expert_gating_func",
     "https://github.com/sgl-project/sglang/pull/35160", OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_routing(inner, has_experts(m), [](Routing& r, const RouteParams& p, Values& logits) {
         for (size_t i = 0; i < logits.n_rows; ++i) {
           double sum = 0;
           for (size_t s = i * r.n_used; s < (i + 1) * r.n_used; ++s)
             sum += r.weights[s] = 1 / (1 + std::exp(-logits.row(i)[size_t(r.experts[s])]));
           for (size_t s = i * r.n_used; s < (i + 1) * r.n_used; ++s)
             r.weights[s] *= p.scale / (p.normalize ? sum : 1);
         }
       });
     }}},
    {"moe-first-expert-only", FaultFamily::ffn, "Only the best expert of each token is added.",
     "mixtures that use more than one expert a token", "worse text", "sum over all expert_used_count experts",
     kFromTheFormat, OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_routing(inner, has_experts(m) && m.hparams().route.n_used > 1,
                             [](Routing& r, const RouteParams&, Values&) {
                               for (size_t s = 0; s < r.weights.size(); ++s)
                                 if (s % r.n_used != 0) r.weights[s] = 0;
                             });
     }}},
};

}  // namespace

extern const std::span<const Fault> faults_ffn = kFaults;

}  // namespace assay
