// Faults of attention: heads, scores, masks, biases, the norms of q and k.
#include <algorithm>
#include <cmath>

#include "diagnose/faults/ops_fault.h"
#include "diagnose/faults/source.h"

namespace assay {
namespace {

using namespace ops_fault;

bool sees_past(size_t query, size_t key) {
  return key <= query;
}

Wrapped change_scale(Ops& inner, const Model& m, double scale) {
  const double right = m.hparams().attention_scale;
  return change_attention(inner, std::abs(scale - right) > 1e-9 * right,
                          [scale](AttentionParams& p, size_t) { p.scale = scale; });
}

Wrapped without_bias(Ops& inner, const Model& m, bool (*has)(const Layer&),
                     std::vector<std::string_view> names) {
  return change_linear(inner, any_layer(m, has), [names](Linear& linear, Name name) {
    if (std::find(names.begin(), names.end(), name.base) != names.end()) linear.bias.clear();
  });
}

bool has_qk_norm(const Layer& w) {
  return bool(w.attn_q_norm);
}
bool has_global_layer(const Model& m) {
  for (size_t i = 0; i < m.hparams().n_layers; ++i)
    if (!m.hparams().is_local(i)) return true;
  return false;
}

const Fault kFaults[] = {
    {"attention-head-mapping", FaultFamily::attention,
     "Query head h reads key head h % n_kv_heads; it should be h / (n_heads / n_kv_heads).",
     "grouped-query attention with more than one key head", "fluent nonsense; models without groups are fine",
     "heads of one group are neighbours: divide, do not take the remainder",
     "https://huggingface.co/docs/transformers/model_doc/llama (repeat_kv); from the format",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       AttentionRules rules;
       rules.kv_head = [](size_t head, const AttentionParams& p) { return head % p.n_kv_heads; };
       return change_rules(inner, is_grouped(m), rules);
     }}},
    {"attention-first-kv-head", FaultFamily::attention, "Every query head reads key head 0.",
     "more than one key head", "nonsense", "stride the cache by key heads", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       AttentionRules rules;
       rules.kv_head = [](size_t, const AttentionParams&) { return size_t(0); };
       return change_rules(inner, m.hparams().n_kv_heads > 1, rules);
     }}},
    {"attention-scale-missing", FaultFamily::attention, "Scores are not divided by sqrt(head_dim).",
     "every model", "attention looks at one token only; repetition",
     "multiply q . k by the architecture's scale, most often 1/sqrt(head_dim)", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped { return change_scale(inner, m, 1); }}},
    {"attention-scale-twice", FaultFamily::attention, "The scale is applied to q and again to the scores.",
     "every model", "attention is nearly uniform; bland, wrong text", "scale once", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       const double s = m.hparams().attention_scale;
       return change_scale(inner, m, s * s);
     }}},
    {"attention-scale-d-model", FaultFamily::attention, "Scores are divided by sqrt(d_model).",
     "every model with more heads than one", "attention is too flat; bland text", "divide by sqrt(head_dim)",
     kFromTheFormat, OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_scale(inner, m, 1 / std::sqrt(double(m.hparams().d_model)));
     }}},
    {"attention-scale-head-share", FaultFamily::attention,
     "Scores are divided by sqrt(d_model / n_heads) although attention.key_length gives another head_dim.",
     "models whose head_dim is not d_model / n_heads: gemma, qwen 3, mistral nemo", "slightly worse text",
     "take head_dim from attention.key_length", "https://github.com/EricLBuehler/mistral.rs/commit/1ea4c8023",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_scale(inner, m,
                           1 / std::sqrt(double(m.hparams().d_model) / double(m.hparams().n_heads)));
     }}},
    {"attention-scale-head-dim", FaultFamily::attention,
     "Scores are divided by sqrt(head_dim) where the architecture has a scale of its own.",
     "gemma 2 and 3 of 27B", "slightly worse text", "follow the architecture's scale (query_pre_attn_scalar)",
     kFromTheFormat, OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_scale(inner, m, 1 / std::sqrt(double(m.hparams().head_dim)));
     }}},
    {"attention-no-mask", FaultFamily::attention,
     "No causal mask: a token sees those after it in the same pass.", "prompts of more than one token",
     "only the last row of a prompt is right in the first layer; generation is worse",
     "mask keys after the query's position",
     "https://github.com/JunSuzukiJapan/rustorch/blob/275cc459c1eafeb14439f0b473b30f0b310853b8/"
     "METAL_GPU_DEBUGGING_STATUS.md",
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       AttentionRules rules;
       rules.sees = [](size_t, size_t) { return true; };
       return change_rules(inner, true, rules);
     }}},
    {"attention-mask-sees-next", FaultFamily::attention, "The mask is off by one: a token sees the next one.",
     "prompts of more than one token", "the prompt's next token is echoed",
     "a query at position p sees keys 0..p", "https://github.com/huggingface/candle/commit/97424289d",
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       AttentionRules rules;
       rules.sees = [](size_t query, size_t key) { return key <= query + 1; };
       return change_rules(inner, true, rules);
     }}},
    {"attention-mask-hides-self", FaultFamily::attention,
     "The mask is off by one the other way: a token does not see itself.", "prompts of more than one token",
     "text lags behind by a word", "a query at position p sees keys 0..p, p included",
     "https://github.com/flashinfer-ai/flashinfer/pull/348",
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       AttentionRules rules;
       rules.sees = [](size_t query, size_t key) { return key < query || query == 0; };
       return change_rules(inner, true, rules);
     }}},
    {"attention-mask-inverted", FaultFamily::attention,
     "The mask is inverted: a token sees itself and those after it.", "prompts of more than one token",
     "the last token of a prompt knows of itself alone", "mask keys after the query, not those before it",
     "https://github.com/huggingface/candle/pull/3437", OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       AttentionRules rules;
       rules.sees = [](size_t query, size_t key) { return key >= query; };
       return change_rules(inner, true, rules);
     }}},
    {"attention-mask-hides-first", FaultFamily::attention,
     "The first position is masked, as if it were padding.", "prompts of more than one token",
     "no BOS to rest attention on: odd text, worse for short prompts",
     "mask by position in the sequence; padding on the left belongs to batches alone", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       AttentionRules rules;
       rules.sees = [](size_t query, size_t key) { return key <= query && (key > 0 || query == 0); };
       return change_rules(inner, true, rules);
     }}},
    {"attention-soft-cap-missing", FaultFamily::attention,
     "Scores are not capped by cap * tanh(score / cap).", "gemma 2, grok",
     "odd text where scores are large; small differences otherwise",
     "apply attn_logit_softcapping to scaled scores before the mask",
     "https://github.com/ggml-org/llama.cpp/commit/1c5eba6f8",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_attention(inner, m.hparams().attention_soft_cap != 0,
                               [](AttentionParams& p, size_t) { p.soft_cap = 0; });
     }}},
    {"attention-window-ignored", FaultFamily::attention, "Local layers attend to all positions.",
     "gemma 2 and 3, olmo 3", "right until the prompt is longer than the window",
     "follow attention.sliding_window in local layers", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_attention(inner, has_windows(m), [](AttentionParams& p, size_t) { p.window = 0; });
     }}},
    {"attention-window-plus-1", FaultFamily::attention,
     "The window is one position longer than the file says.", "gemma 2 and 3, olmo 3",
     "small differences once the prompt is longer than the window",
     "a position sees itself and window - 1 before it", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_attention(inner, has_windows(m),
                               [](AttentionParams& p, size_t) { p.window += p.window != 0; });
     }}},
    {"attention-window-everywhere", FaultFamily::attention, "Global layers keep to the window as well.",
     "gemma 2 and 3, olmo 3", "forgets what is further back than the window",
     "only layers of the sliding-window pattern are local",
     "https://github.com/ikawrakow/ik_llama.cpp/commit/c26f5b315",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       const size_t window = m.hparams().local.window;
       return change_attention(inner, has_windows(m) && has_global_layer(m),
                               [window](AttentionParams& p, size_t) { p.window = window; });
     }}},
    {"attention-window-inverted", FaultFamily::attention, "Local and global layers are exchanged.",
     "gemma 2 and 3, olmo 3", "worse text once the prompt is longer than the window",
     "the period's last layer is global, the others local", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       const size_t window = m.hparams().local.window;
       return change_attention(inner, has_windows(m) && has_global_layer(m),
                               [window](AttentionParams& p, size_t) { p.window = p.window ? 0 : window; });
     }}},
    {"attention-window-of-8", FaultFamily::attention, "A window of eight positions in every layer.",
     "models without local layers", "forgets the prompt's beginning",
     "no window unless the file and architecture have one", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_attention(inner, !has_windows(m), [](AttentionParams& p, size_t) { p.window = 8; });
     }}},
    {"attention-denominator-missing", FaultFamily::attention,
     "Soft-max weights are not divided by their sum.", "every model", "activations grow with the prompt",
     "divide by the sum of the exponentials", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       AttentionRules rules;
       rules.divide = false;
       return change_rules(inner, true, rules);
     }}},
    {"attention-sink-of-zero", FaultFamily::attention,
     "A sink with score 0 is in every denominator: weights sum to less than 1.", "models without sinks",
     "attention is too weak; worse text", "a sink belongs to architectures that have sink tensors",
     "https://github.com/vllm-project/vllm-metal/pull/550", OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       AttentionRules rules;
       rules.sink = 0;
       return change_rules(inner, true, rules);
     }}},
    {"attention-alibi", FaultFamily::attention,
     "Scores get a bias linear in the distance, 2^(-8(h+1)/n_heads) a position (ALiBi).",
     "models that rotate instead", "attention is too local",
     "no ALiBi unless the architecture has it (max_alibi_bias)", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model&) -> Wrapped {
       AttentionRules rules;
       rules.sees = sees_past;
       rules.score = [](double score, double distance, size_t head, const AttentionParams& p) {
         return score - distance * std::exp2(-8 * double(head + 1) / double(p.n_heads));
       };
       return change_rules(inner, true, rules);
     }}},
    {"attention-qkv-bias-missing", FaultFamily::attention, "Biases of q, k and v are not loaded.",
     "qwen 2 and 2.5, gpt 2, starcoder 2, stablelm", "mojibake; llama files are fine",
     "add attn_q.bias, attn_k.bias, attn_v.bias", "https://github.com/sbryngelson/ANEForge/pull/253",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return without_bias(inner, m,
                           [](const Layer& w) {
                             return !w.attn_q.bias.empty() || !w.attn_k.bias.empty() ||
                                    !w.attn_v.bias.empty() || !w.attn_qkv.bias.empty();
                           },
                           {"Qcur", "Kcur", "Vcur", "wqkv"});
     }}},
    {"attention-q-bias-missing", FaultFamily::attention, "The bias of q alone is not added.",
     "qwen 2 and 2.5, starcoder 2", "worse text", "add attn_q.bias",
     "https://github.com/huggingface/transformers/pull/35060",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return without_bias(inner, m, [](const Layer& w) { return !w.attn_q.bias.empty(); }, {"Qcur"});
     }}},
    {"attention-v-bias-missing", FaultFamily::attention, "The bias of v alone is not added.",
     "qwen 2 and 2.5, starcoder 2", "a constant vector is missing from attention's result", "add attn_v.bias",
     kFromTheFormat, OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return without_bias(inner, m, [](const Layer& w) { return !w.attn_v.bias.empty(); }, {"Vcur"});
     }}},
    {"attention-output-bias-missing", FaultFamily::attention, "The bias of attn_output is not added.",
     "gpt 2, starcoder 2", "worse text", "add attn_output.bias", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return without_bias(inner, m, [](const Layer& w) { return !w.attn_output.bias.empty(); },
                           {"attn_out"});
     }}},
    {"attention-qk-norm-missing", FaultFamily::attention, "q and k are not normalised.",
     "qwen 3, gemma 3, olmo 2", "nonsense",
     "normalise q and k before rotation with attn_q_norm and attn_k_norm", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       struct Skip final : ForwardOps {
         using ForwardOps::ForwardOps;
         void norm(Name name, Tensor out, Tensor in, const Norm& norm) noexcept override {
           if (!is(name, "Qcur_normed") && !is(name, "Kcur_normed")) inner().norm(name, out, in, norm);
         }
       };
       return any_layer(m, has_qk_norm) ? std::make_unique<Skip>(inner) : nullptr;
     }}},
    {"attention-qk-norm-whole-row", FaultFamily::attention,
     "q and k are normalised over all heads at once, not head by head.", "qwen 3, gemma 3, stablelm 12B",
     "worse text", "one norm a head, head_dim numbers each", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       const size_t q_dim = m.hparams().q_dim(), kv_dim = m.hparams().kv_dim();
       return change_norm(
           inner,
           any_layer(m,
                     [](const Layer& w) {
                       return w.attn_q_norm && w.attn_q_norm.group == w.attention.head_dim &&
                              w.attention.n_heads > 1;
                     }),
           [q_dim, kv_dim](Norm& n, Name name) {
             if (!is(name, "Qcur_normed") && !is(name, "Kcur_normed")) return;
             const size_t group = std::exchange(n.group, is(name, "Qcur_normed") ? q_dim : kv_dim);
             const std::vector<float> weight = n.weight;
             while (!n.weight.empty() && n.weight.size() < n.group)
               n.weight.insert(n.weight.end(), weight.begin(), weight.begin() + ptrdiff_t(group));
             const std::vector<float> bias = n.bias;
             while (!n.bias.empty() && n.bias.size() < n.group)
               n.bias.insert(n.bias.end(), bias.begin(), bias.begin() + ptrdiff_t(group));
           });
     }}},
    {"attention-qk-norm-weight-missing", FaultFamily::attention,
     "q and k are normalised, but their norms' weights are not applied.", "qwen 3, gemma 3, olmo 2",
     "worse text", "multiply by attn_q_norm.weight and attn_k_norm.weight", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_norm(inner, any_layer(m, has_qk_norm), [](Norm& n, Name name) {
         if (is(name, "Qcur_normed") || is(name, "Kcur_normed")) n.weight.clear();
       });
     }}},
    {"attention-output-transposed", FaultFamily::attention,
     "Attention's result is laid out (head_dim, n_heads) where attn_output wants (n_heads, head_dim).",
     "more heads than one", "nonsense", "concatenate heads, head_dim numbers each", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       const size_t n_heads = m.hparams().n_heads, head_dim = m.hparams().head_dim;
       return change_results(
           inner, [](Name name) { return is(name, "kqv_out"); },
           [n_heads, head_dim](Name, Values& x) {
             const std::vector<double> healthy = x.numbers;
             for (size_t i = 0; i < x.n_rows; ++i)
               for (size_t h = 0; h < n_heads; ++h)
                 for (size_t c = 0; c < head_dim; ++c)
                   x.row(i)[c * n_heads + h] = healthy[i * x.n_cols + h * head_dim + c];
           },
           n_heads > 1 && head_dim > 1);
     }}},
};

}  // namespace

extern const std::span<const Fault> faults_attention = kFaults;

}  // namespace assay
