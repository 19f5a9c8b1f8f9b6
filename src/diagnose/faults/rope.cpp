// Faults of rotary position embedding.
#include <cmath>

#include "base/half.h"
#include "diagnose/faults/ops_fault.h"
#include "diagnose/faults/source.h"

namespace assay {
namespace {

using namespace ops_fault;

/// Scaled frequencies keep their scaling: only the base is another.
void rebase(Rope& rope, double from, double to) {
  const size_t n = rope.frequencies.size();
  for (size_t j = 0; j < n; ++j) rope.frequencies[j] *= std::pow(from / to, double(j) / double(n));
}

/// With one pair there is one frequency, base^0.
bool has_base(const Model& m) {
  return m.hparams().rope.frequencies.size() > 1;
}

bool is_partial(const Model& m) {
  return rotates(m) && 2 * m.hparams().rope.frequencies.size() < m.hparams().head_dim;
}

std::string_view scaling(const Model& m) {
  return m.file().metadata().find_string(m.hparams().arch + ".rope.scaling.type").value_or("none");
}

bool is_scaled(const Model& m) {
  const Rope& rope = m.hparams().rope;
  return rope.frequencies != plain_frequencies(rope_base(m), rope.frequencies.size()) &&
         std::abs(rope.frequencies.back() - plain_frequencies(rope_base(m), rope.frequencies.size()).back()) >
             1e-9 * rope.frequencies.back();
}

Wrapped unscaled(Ops& inner, const Model& m, bool touches) {
  const double base = rope_base(m);
  return change_rope(inner, touches && rotates(m) && is_scaled(m), [base](Rope& r, Name, size_t) {
    r.frequencies = plain_frequencies(base, r.frequencies.size());
  });
}

bool has_factors(const Model& m) {
  for (const char* name : {"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"})
    if (m.file().find(name)) return true;
  return false;
}

double to_bf16(double x) {
  return double(bf16_to_float(float_to_bf16(float(x))));
}
double to_f16(double x) {
  return double(half_to_float(float_to_half(float(x))));
}

const Fault kFaults[] = {
    {"rope-pairs", FaultFamily::rope,
     "Numbers are rotated in the other pairing: (j, j + n_rot/2) where the architecture wants (2j, 2j+1), or "
     "the reverse.",
     "every model with RoPE; the file does not record the pairing",
     "the first tokens are good, then the text loops",
     "choose the pairing by architecture: adjacent for llama, halves for qwen, phi, gemma, neox, stablelm",
     "https://github.com/huggingface/candle/commit/4bc89dd3d",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_rope(
           inner, rotates(m) && m.hparams().rope.frequencies.size() > 1, [](Rope& r, Name, size_t) {
             r.pairs = r.pairs == Rope::Pairs::halves ? Rope::Pairs::adjacent : Rope::Pairs::halves;
           });
     }}},
    {"rope-base-10000", FaultFamily::rope, "The base is fixed at 10000 instead of rope.freq_base.",
     "models with another base: llama 3, qwen 2 and later",
     "short prompts are fine, quality falls with length", "read ARCH.rope.freq_base",
     "https://github.com/karpathy/llama2.c/issues/356", OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       const double base = rope_base(m);
       return change_rope(inner, has_base(m) && base != 10000,
                          [base](Rope& r, Name, size_t) { rebase(r, base, 10000); });
     }}},
    {"rope-base-500000", FaultFamily::rope,
     "The base is fixed at 500000, llama 3's, instead of rope.freq_base.", "models with another base",
     "quality falls with length", "read ARCH.rope.freq_base; absent means 10000", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       const double base = rope_base(m);
       return change_rope(inner, has_base(m) && base != 500000,
                          [base](Rope& r, Name, size_t) { rebase(r, base, 500000); });
     }}},
    {"rope-exponent-halved", FaultFamily::rope,
     "Pair j turns with base^(-j/n_rot); it should be base^(-2j/n_rot), which is j over the number of pairs.",
     "every model with RoPE", "positions blur; text loses its thread after a sentence",
     "divide the pair's index by n_rot/2, or twice it by n_rot", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       const double base = rope_base(m);
       return change_rope(inner, has_base(m), [base](Rope& r, Name, size_t) {
         const size_t n = r.frequencies.size();
         for (size_t j = 0; j < n; ++j) r.frequencies[j] *= std::pow(base, double(j) / (2 * double(n)));
       });
     }}},
    {"rope-factors-ignored", FaultFamily::rope,
     "Frequency factors (rope_freqs.weight, rope_factors_*) are not divided by.",
     "llama 3.1 and later, phi 3", "good for a while, worse with every thousand tokens",
     "divide each pair's frequency by its factor", "https://github.com/ggml-org/llama.cpp/pull/8676",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped { return unscaled(inner, m, has_factors(m)); }}},
    {"rope-linear-ignored", FaultFamily::rope,
     "Linear scaling of positions (rope.scaling.factor) is not followed.",
     "models with rope.scaling.type linear, older files with rope.scale_linear, gemma 3's global layers",
     "long prompts are gibberish, short ones odd", "divide positions by rope.scaling.factor", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return unscaled(inner, m, !has_factors(m) && scaling(m) != "yarn");
     }}},
    {"rope-yarn-ignored", FaultFamily::rope,
     "YaRN's blend of frequencies is not made; frequencies are the plain ones.",
     "models with rope.scaling.type yarn", "worse with length",
     "blend as Peng et al. 2023 with beta_fast and beta_slow", kFromTheFormat,
     OpsFault{
         [](Ops& inner, const Model& m) -> Wrapped { return unscaled(inner, m, scaling(m) == "yarn"); }}},
    {"rope-magnitude-missing", FaultFamily::rope,
     "The factor on rotated numbers (YaRN's mscale, LongRoPE's attention factor) is left at 1.",
     "models with YaRN or LongRoPE", "q . k is off by a constant; long contexts suffer",
     "multiply cosines and sines by the attention factor", "https://github.com/ggml-org/llama.cpp/pull/17945",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_rope(inner, rotates(m) && m.hparams().rope.magnitude != 1,
                          [](Rope& r, Name, size_t) { r.magnitude = 1; });
     }}},
    {"rope-magnitude-squared", FaultFamily::rope, "The factor on rotated numbers is applied twice.",
     "models with YaRN or LongRoPE", "q . k is off by a constant",
     "apply the attention factor once to q and once to k",
     "https://github.com/ggml-org/llama.cpp/commit/5ba374617",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_rope(inner, rotates(m) && m.hparams().rope.magnitude != 1,
                          [](Rope& r, Name, size_t) { r.magnitude *= r.magnitude; });
     }}},
    {"rope-whole-head", FaultFamily::rope,
     "All of a head is rotated, with frequencies for head_dim; rope.dimension_count says only the first "
     "n_rot.",
     "partial rotary: phi 2, stablelm, glm", "right words, wrong order; top token right in 60 % of positions",
     "rotate the first rope.dimension_count numbers of a head and copy the rest",
     "https://github.com/ml-explore/mlx-lm/pull/1698", OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       const double base = rope_base(m);
       return change_rope(inner, is_partial(m), [base](Rope& r, Name, size_t head_dim) {
         r.frequencies = plain_frequencies(base, head_dim / 2);
       });
     }}},
    {"rope-exponent-head-dim", FaultFamily::rope,
     "Frequencies are those of head_dim although only n_rot numbers of a head are rotated.",
     "partial rotary: phi 2, stablelm, glm", "quality falls with length", "the exponent is -2j/n_rot",
     kFromTheFormat, OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       const double base = rope_base(m);
       return change_rope(inner, is_partial(m), [base](Rope& r, Name, size_t head_dim) {
         std::vector<double> f = plain_frequencies(base, head_dim / 2);
         f.resize(r.frequencies.size());
         r.frequencies = f;
       });
     }}},
    {"rope-k-missing", FaultFamily::rope, "Only q is rotated.", "every model with RoPE",
     "attention follows absolute positions; fluent nonsense", "rotate k too, before it goes to the cache",
     kFromTheFormat, OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_rope(inner, rotates(m), [](Rope& r, Name name, size_t) {
         if (is(name, "Kcur")) r.frequencies.clear();
       });
     }}},
    {"rope-q-missing", FaultFamily::rope, "Only k is rotated.", "every model with RoPE", "fluent nonsense",
     "rotate q with the same positions as k", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_rope(inner, rotates(m), [](Rope& r, Name name, size_t) {
         if (is(name, "Qcur")) r.frequencies.clear();
       });
     }}},
    {"rope-missing", FaultFamily::rope,
     "Nothing is rotated: no RoPE, or every token of a pass at position 0.", "every model with RoPE",
     "the first token is right, then repetition: order has no effect",
     "rotate q and k of each row by its position in the sequence",
     "https://github.com/JunSuzukiJapan/rustorch/blob/275cc459c1eafeb14439f0b473b30f0b310853b8/claudedocs/"
     "ROPE_INVESTIGATION_20251011.md",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_rope(inner, rotates(m), [](Rope& r, Name, size_t) { r.frequencies.clear(); });
     }}},
    {"rope-sign", FaultFamily::rope, "Rotation by the negative angle: the sine's sign is exchanged.",
     "every model with RoPE", "the first token is right, later ones drift to nonsense",
     "a' = a cos - b sin, b' = a sin + b cos", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_turns(inner, rotates(m), [](double angle) {
         return Turn{std::cos(angle), -std::sin(angle)};
       });
     }}},
    {"rope-k-sign", FaultFamily::rope, "k is rotated by the negative angle, q by the right one.",
     "every model with RoPE", "nonsense from the second token on", "rotate both the same way", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_rope(inner, rotates(m), [](Rope& r, Name name, size_t) {
         if (is(name, "Kcur"))
           for (double& f : r.frequencies) f = -f;
       });
     }}},
    {"rope-k-twice", FaultFamily::rope, "k is rotated when it is stored and again when it is read.",
     "every model with RoPE", "nonsense from the second token on",
     "keep rotated keys in the cache, or plain ones, not both",
     "https://github.com/ggml-org/llama.cpp/commit/71a09da30",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_rope(inner, rotates(m), [](Rope& r, Name name, size_t) {
         if (!is(name, "Kcur")) return;
         for (double& f : r.frequencies) f *= 2;
         r.magnitude *= r.magnitude;
       });
     }}},
    {"rope-k-position-plus-1", FaultFamily::rope, "k is rotated as the next position, q as its own.",
     "every model with RoPE", "slightly worse from the first token on: even a token's own distance is 1",
     "use one counter for q and k, advanced after the pass", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_positions(inner, rotates(m), [](int32_t p, bool is_key) { return p + int(is_key); });
     }}},
    {"rope-positions-doubled", FaultFamily::rope, "Positions advance by two a token.",
     "every model with RoPE", "worse text at every length", "count each token once", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_positions(inner, rotates(m), [](int32_t p, bool) { return 2 * p; });
     }}},
    {"rope-positions-capped", FaultFamily::rope, "Positions stay at 15 from the 16th token on.",
     "every model with RoPE", "right up to a length, then repetition",
     "size the table of cosines by the context, not by a batch", kFromTheFormat,
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_positions(inner, rotates(m), [](int32_t p, bool) { return std::min(p, 15); });
     }}},
    {"rope-table-bf16", FaultFamily::rope, "Cosines and sines are kept as bf16.", "every model with RoPE",
     "fine early, worse with length", "compute and keep the table in f32",
     "https://github.com/huggingface/candle/commit/ab145812a",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_turns(inner, rotates(m), [](double angle) {
         return Turn{to_bf16(std::cos(angle)), to_bf16(std::sin(angle))};
       });
     }}},
    {"rope-angle-f16", FaultFamily::rope, "Angles are computed in f16: their error grows with the position.",
     "every model with RoPE", "fine early, worse past a few hundred tokens",
     "compute position * frequency in f32", "https://github.com/huggingface/transformers/pull/29285",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       return change_turns(inner, has_base(m), [](double angle) {
         return Turn{std::cos(to_f16(angle)), std::sin(to_f16(angle))};
       });
     }}},
    {"rope-first-head-only", FaultFamily::rope, "Only the first head of q and of k is rotated.",
     "every model with RoPE", "nonsense after a few tokens", "stride the loop over heads by head_dim",
     kFromTheFormat, OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       struct FirstHead final : ForwardOps {
         using ForwardOps::ForwardOps;
         void rope(Name name, Tensor x, size_t head_dim, const Rope& rope,
                   const Batch& batch) noexcept override {
           inner().rope(name, x.cols(0, head_dim), head_dim, rope, batch);
         }
       };
       if (!rotates(m) || m.hparams().n_heads == 1) return nullptr;
       return std::make_unique<FirstHead>(inner);
     }}},
    {"rope-local-as-global", FaultFamily::rope, "Local layers rotate with the base of the global ones.",
     "gemma 3: rope.freq_base_swa, 10000 when absent", "worse text; the other layers are right",
     "keep one table of rotations for local layers and one for global ones",
     "https://github.com/ikawrakow/ik_llama.cpp/commit/03da76eb0",
     OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       const Hparams& h = m.hparams();
       const Model* model = &m;
       const bool touches =
           rotates(m) && !h.local.layers.empty() && h.local.rope.frequencies != h.rope.frequencies;
       return change_rope(inner, touches, [model](Rope& r, Name name, size_t) {
         if (model->hparams().is_local(size_t(name.layer))) r = model->hparams().rope;
       });
     }}},
    {"rope-global-as-local", FaultFamily::rope, "Global layers rotate with the base of the local ones.",
     "gemma 3", "worse with length", "keep one table of rotations for local layers and one for global ones",
     kFromTheFormat, OpsFault{[](Ops& inner, const Model& m) -> Wrapped {
       const Hparams& h = m.hparams();
       const Model* model = &m;
       bool has_global = false;
       for (size_t i = 0; i < h.n_layers; ++i) has_global |= !h.is_local(i);
       const bool touches = rotates(m) && !h.local.layers.empty() && has_global &&
                            h.local.rope.frequencies != h.rope.frequencies;
       return change_rope(inner, touches, [model](Rope& r, Name name, size_t) {
         if (!model->hparams().is_local(size_t(name.layer))) r = model->hparams().local.rope;
       });
     }}},
};

}  // namespace

extern const std::span<const Fault> faults_rope = kFaults;

}  // namespace assay
