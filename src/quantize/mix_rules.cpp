#include "quantize/mix_rules.h"

#include <algorithm>

namespace assay {
namespace {

constexpr std::string_view kBase;

constexpr Mixes kAnyMix = Mixes::all();
constexpr Roles kAnyRole = Roles::all();

constexpr Rule kRules[] = {
    {kMXFP4_MOE, kOutput, kAlways, "Q8_0"},
    {kMXFP4_MOE, kAnyRole, kExpertMatrix, "MXFP4"},
    {kMXFP4_MOE, kAnyRole, kAlways, "Q8_0"},

    {kAnyMix, kOutput, kFalcon, "Q8_0"},
    {kAnyMix, kOutput, kRowsMisfit, "Q8_0"},
    {kTwoBits, kOutput, kAlways, "Q5_K"},
    {kIQ3_XXS, kOutput, kAlways, "Q5_K"},
    {kQ8_0, kOutput, kAlways, kBase},
    {kAnyMix, kOutput, kAlways, "Q6_K"},

    {{kIQ1_S, kIQ1_M, kIQ2_XXS, kIQ2_XS}, kTokenEmbd, kAlways, "Q2_K"},
    {{kIQ2_S, kIQ2_M, kIQ3_XXS}, kTokenEmbd, kAlways, "IQ3_S"},
    {{kTQ1_0, kTQ2_0, kQ2_0}, kTokenEmbd, kAlways, "Q4_K"},

    {kTwoBits, kAttnV, kGqa4, "Q4_K"},
    {kTwoBits, kAttnV, kExperts4, "Q4_K"},
    {{kIQ2_S, kIQ2_M}, kAttnV, kAlways, "IQ3_S"},
    {kTwoBits, kAttnV, kAlways, "Q2_K"},
    {kTwoBits, kAttnK, kExperts8, "Q4_K"},
    {{kIQ2_S, kIQ2_M}, kFfnDown, kFirst8th, "IQ3_S"},
    {kTwoBits, kFfnDown, kFirst8th, "Q2_K"},
    {kTwoBits, kAttnOutput, kExperts8, "Q5_K"},
    {{kIQ1_S, kIQ1_M}, kAttnOutput, kAlways, "IQ2_XXS"},
    {{kIQ2_S, kIQ2_M}, kAttnOutput, kAlways, "IQ3_S"},
    {kTwoBits, kAnyRole, kAlways, kBase},

    {kAnyMix, {kAttnV, kAttnK}, kExperts8, "Q8_0"},
    {{kQ2_K, kQ2_K_S, kIQ3_XXS, kIQ3_XS, kIQ3_S}, kAttnV, kGqa4, "Q4_K"},
    {kQ2_K, kAttnV, kAlways, "Q3_K"},
    {kIQ3_XXS, kAttnV, kNoImportance, "IQ3_S"},
    {kIQ3_M, kAttnV, kAlways, "Q4_K"},
    {kQ3_K_M, kAttnV, kFirst2, "Q5_K"},
    {kQ3_K_M, kAttnV, kAlways, "Q4_K"},
    {kQ3_K_L, kAttnV, kAlways, "Q5_K"},
    {{kIQ4_NL, kIQ4_XS}, kAttnV, kGqa4, "Q5_K"},
    {{kQ4_K_M, kQ5_K_M}, kAttnV, kMoreBits, "Q6_K"},
    {kQ4_K_S, kAttnV, kFirst4, "Q5_K"},

    {kIQ3_XS, {kAttnK, kAttnQ}, kAlways, "IQ3_XXS"},
    {kIQ3_XXS, {kAttnK, kAttnQ}, kAlways, "IQ2_S"},

    {kQ2_K, kFfnDown, kAlways, "Q3_K"},
    {kQ2_K_S, kFfnDown, kFirst8th, "Q4_K"},
    {kIQ3_XXS, kFfnDown, kNoImportance | kFirst8th, "Q4_K"},
    {kIQ3_XXS, kFfnDown, kNoImportance, "Q3_K"},
    {kIQ3_M, kFfnDown, kFirst8th, "Q4_K"},
    {kIQ3_M, kFfnDown, kExperts8 | kMoreBits, "Q4_K"},
    {kQ3_K_M, kFfnDown, kFirst16th, "Q5_K"},
    {kQ3_K_M, kFfnDown, kFalcon | kMoreBits, "Q4_K"},
    {kQ3_K_M, kFfnDown, kFalcon, kBase},
    {kQ3_K_M, kFfnDown, kAlways, "Q4_K"},
    {kQ3_K_L, kFfnDown, kFalcon, "Q4_K"},
    {kQ3_K_L, kFfnDown, kAlways, "Q5_K"},
    {{kIQ4_NL, kIQ4_XS}, kFfnDown, kNoImportance | kFirst8th, "Q5_K"},
    {kQ4_K_S, kFfnDown, kFalcon, kBase},
    {kQ4_K_S, kFfnDown, kFirst8th, "Q5_K"},
    {kQ4_K_M, kFfnDown, kFalcon | kFirst16th, "Q6_K"},
    {kQ4_K_M, kFfnDown, kFalcon | kMoreBits, "Q5_K"},
    {kQ4_K_M, kFfnDown, kFalcon, kBase},
    {{kQ4_K_M, kQ5_K_M}, kFfnDown, kMoreBits, "Q6_K"},
    {kQ4_0, kFfnDown, kImportance | kFirst8th, "Q4_1"},
    {kQ5_0, kFfnDown, kImportance | kFirst8th, "Q5_1"},

    {kQ3_K_L, kAttnOutput, kFalcon, "Q4_K"},
    {kAnyMix, kAttnOutput, kFalcon, kBase},
    {{kQ2_K, kIQ3_XXS, kIQ3_XS, kIQ3_S, kIQ3_M, kQ3_K_S, kQ3_K_M, kIQ4_XS, kIQ4_NL, kQ4_K_S, kQ4_K_M},
     kAttnOutput,
     kExperts8,
     "Q5_K"},
    {kAnyMix, kAttnOutput, kExperts8, kBase},
    {kQ2_K, kAttnOutput, kAlways, "Q3_K"},
    {kIQ3_XXS, kAttnOutput, kAlways, "IQ3_S"},
    {{kIQ3_M, kQ3_K_M}, kAttnOutput, kAlways, "Q4_K"},
    {kQ3_K_L, kAttnOutput, kAlways, "Q5_K"},

    {kIQ3_XS, {kFfnUp, kFfnGate}, kMiddle, "IQ3_XXS"},
};

constexpr Fallback kFallbacks[] = {
    {"IQ1_S", "IQ4_NL"}, {"IQ1_M", "IQ4_NL"}, {"IQ2_XXS", "IQ4_NL"}, {"IQ2_XS", "IQ4_NL"},
    {"IQ2_S", "IQ4_NL"}, {"IQ3_S", "IQ4_NL"}, {"IQ3_XXS", "IQ4_NL"}, {"IQ4_XS", "IQ4_NL"},
    {"Q2_0", "Q4_0"},    {"Q2_K", "Q4_0"},    {"Q3_K", "Q4_0"},      {"TQ1_0", "Q4_0"},
    {"TQ2_0", "Q4_0"},   {"Q4_K", "Q5_0"},    {"Q5_K", "Q5_1"},      {"Q6_K", "Q8_0"},
};

/// The first piece found in a name tells the role.
constexpr struct {
  std::string_view piece;
  Role role;
} kPieces[] = {
    {"attn_qkv.weight", kAttnV}, {"attn_kv_b.weight", kAttnV}, {"attn_v.weight", kAttnV},
    {"attn_k.weight", kAttnK},   {"attn_q.weight", kAttnQ},    {"attn_output.weight", kAttnOutput},
    {"ffn_up", kFfnUp},          {"ffn_gate", kFfnGate},       {"ffn_down", kFfnDown},
};

constexpr std::string_view kNeverQuantized[] = {
    "_norm.weight",
    "ffn_gate_inp.weight",
    "ffn_gate_tid2eid.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
    "ssm_conv1d",
    "shortconv.conv.weight",
    "indexer.k_proj.weight",
    "indexer.q_proj.weight",
    "time_mix_first.weight",
    "time_mix_w0.weight",
    "time_mix_w1.weight",
    "time_mix_w2.weight",
    "time_mix_v0.weight",
    "time_mix_v1.weight",
    "time_mix_v2.weight",
    "time_mix_a0.weight",
    "time_mix_a1.weight",
    "time_mix_a2.weight",
    "time_mix_g1.weight",
    "time_mix_g2.weight",
    "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight",
    "attn_rel_b.weight",
    ".position_embd",
    "sam.pos_embd",
    "sam.neck.",
    "sam.net_",
    ".rel_pos",
    ".patch_embd",
    ".patch_merger",
    "a.rvq.codebook",
    "mm.a.code_embd",
};

bool contains(std::string_view text, std::string_view piece) {
  return text.find(piece) != std::string_view::npos;
}

}  // namespace

std::span<const Rule> mix_rules() {
  return kRules;
}

std::span<const Fallback> fallbacks() {
  return kFallbacks;
}

Role role_of(std::string_view tensor_name) {
  if (tensor_name == "output.weight") return kOutput;
  if (tensor_name == "token_embd.weight" || tensor_name == "per_layer_token_embd.weight") return kTokenEmbd;
  for (const auto& [piece, role] : kPieces)
    if (contains(tensor_name, piece)) return role;
  return kOther;
}

bool is_never_quantized(std::string_view tensor_name) {
  return tensor_name == "position_embd.weight" || tensor_name == "token_types.weight" ||
         std::any_of(std::begin(kNeverQuantized), std::end(kNeverQuantized),
                     [&](std::string_view piece) { return contains(tensor_name, piece); });
}

}  // namespace assay
