// Which tokens have a role. Files name few of them, so llama.cpp v0.5.0 (llama_vocab::impl::load) knows many
// by their texts; the lists and corrections here are its. Where a vocabulary has several candidates for one
// role it takes the one that its hash table meets first; here the order of the list decides.
#include <algorithm>
#include <optional>
#include <span>

#include "tokenizer/vocabulary.h"

namespace assay {
namespace {

struct Role {
  int32_t SpecialIds::*id;
  const char* keys[2];     // a later key of the file overrides an earlier one
  bool optional_in_range;  // out of range it is left out with a warning: it steers neither encoding nor
                           // stopping
  std::span<const std::string_view> texts;  // well-known ones
};

constexpr std::string_view kEot[] = {
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>",         "<|endoftext|>",     "<|end_of_text|>",
    "<EOT>",      "_<EOT>",     "[EOT]",   "<｜end▁of▁sentence｜>", "<end_of_utterance>"};
constexpr std::string_view kEom[] = {"<|eom_id|>"};
constexpr std::string_view kFimPre[] = {"<|fim_prefix|>",  "<fim-prefix>", "<fim_prefix>",
                                        "<｜fim▁begin｜>", "<PRE>",        "▁<PRE>",
                                        "<|code_prefix|>", "<|prefix|>"};
constexpr std::string_view kFimSuf[] = {"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>",    "<｜fim▁hole｜>",
                                        "<SUF>",          "▁<SUF>",       "<|code_suffix|>", "<|suffix|>"};
constexpr std::string_view kFimMid[] = {"<|fim_middle|>", "<fim-middle>", "<fim_middle>",    "<｜fim▁end｜>",
                                        "<MID>",          "▁<MID>",       "<|code_middle|>", "<|middle|>"};
constexpr std::string_view kFimPad[] = {"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"};
constexpr std::string_view kFimRep[] = {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>",
                                        "<reponame>"};
constexpr std::string_view kFimSep[] = {"<|file_sep|>"};

constexpr std::string_view kEndsGeneration[] = {"<|eot_id|>",
                                                "<|im_end|>",
                                                "<|end|>",
                                                "<|return|>",
                                                "<|call|>",
                                                "<|flush|>",
                                                "<|calls|>",
                                                "<end_of_turn>",
                                                "<|endoftext|>",
                                                "</s>",
                                                "<|eom_id|>",
                                                "<EOT>",
                                                "_<EOT>",
                                                "[EOT]",
                                                "[EOS]",
                                                "<|end_of_text|>",
                                                "<end_of_utterance>",
                                                "<eos>",
                                                "<turn|>",
                                                "<|tool_response>",
                                                "<｜end▁of▁sentence｜>",
                                                "[e~["};
// The gpt-oss format's own marks, shown in text although they are control tokens.
constexpr std::string_view kAlwaysShown[] = {"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"};

#define KEY(name) "tokenizer.ggml." name
constexpr Role kRoles[] = {
    {&SpecialIds::bos, {KEY("bos_token_id")}, false, {}},
    {&SpecialIds::eos, {KEY("eos_token_id")}, false, {}},
    {&SpecialIds::eot, {KEY("eot_token_id")}, false, kEot},
    {&SpecialIds::eom, {KEY("eom_token_id")}, false, kEom},
    {&SpecialIds::unk, {KEY("unknown_token_id")}, false, {}},
    {&SpecialIds::sep, {KEY("seperator_token_id")}, false, {}},  // spelled so in the format
    {&SpecialIds::pad, {KEY("padding_token_id")}, true, {}},
    {&SpecialIds::mask, {KEY("mask_token_id")}, true, {}},
    {&SpecialIds::fim_pre, {KEY("fim_pre_token_id"), KEY("prefix_token_id")}, true, kFimPre},
    {&SpecialIds::fim_suf, {KEY("fim_suf_token_id"), KEY("suffix_token_id")}, true, kFimSuf},
    {&SpecialIds::fim_mid, {KEY("fim_mid_token_id"), KEY("middle_token_id")}, true, kFimMid},
    {&SpecialIds::fim_pad, {KEY("fim_pad_token_id")}, true, kFimPad},
    {&SpecialIds::fim_rep, {KEY("fim_rep_token_id")}, true, kFimRep},
    {&SpecialIds::fim_sep, {KEY("fim_sep_token_id")}, true, kFimSep},
};

void make_control(Vocabulary& v, int32_t id) {
  Token& token = v.tokens[static_cast<size_t>(id)];
  if (token.flags & kControl) return;
  token.flags |= kControl;
  v.warnings.push_back("token " + std::to_string(id) + " '" + printable(token.text) +
                       "' looks like a control token and is not marked as one: treated as one.");
}

void read_role(Vocabulary& v, const Metadata& metadata, const Role& role) {
  int32_t& id = v.special.*role.id;
  if (id >= v.n_tokens()) id = kNoToken;  // a default
  for (const char* key : role.keys) {
    if (!key) continue;
    const auto named = metadata.find_int(key);
    if (!named) continue;
    if (*named >= 0 && *named < v.n_tokens()) {
      id = static_cast<int32_t>(*named);
      continue;
    }
    const std::string problem =
        std::to_string(*named) + " is not a token id, the vocabulary has " + std::to_string(v.tokens.size());
    if (!role.optional_in_range) throw BadValue(metadata.place(key), problem);
    v.warnings.push_back(std::string(key) + ": " + problem + ": left out.");
  }
}

void find_role(Vocabulary& v, const Role& role) {
  for (const std::string_view text : role.texts) {
    int32_t& id = v.special.*role.id;
    if (id != kNoToken) return;
    id = v.find(text);
    if (id != kNoToken) make_control(v, id);
  }
}

void find_ends_of_generation(Vocabulary& v) {
  v.ends_generation.assign(v.tokens.size(), false);
  const auto mark = [&](int32_t id) {
    if (id != kNoToken) v.ends_generation[static_cast<size_t>(id)] = true;
  };
  mark(v.special.fim_pad), mark(v.special.fim_rep), mark(v.special.fim_sep);
  for (const std::string_view text : kEndsGeneration) {
    const int32_t id = v.find(text);
    mark(id);
    if (id != kNoToken) make_control(v, id);
  }
  for (const std::string_view text : kAlwaysShown)
    if (const int32_t id = v.find(text); id != kNoToken)
      v.tokens[static_cast<size_t>(id)].flags = kUserDefined;
  mark(v.special.eos), mark(v.special.eot), mark(v.special.eom);

  // In two families of vocabularies one of the well-known texts does not end anything.
  const auto ends = [&](std::string_view text) {
    const int32_t id = v.find(text);
    return id != kNoToken && v.ends_generation[static_cast<size_t>(id)];
  };
  const auto unmark = [&](std::string_view text, uint8_t flags) {
    const auto id = static_cast<size_t>(v.find(text));
    v.ends_generation[id] = false;
    v.tokens[id].flags = flags;
  };
  const bool calls = ends("<|call|>") || ends("<|calls|>");
  if (calls && (ends("<|return|>") || ends("<|flush|>")) && ends("<|end|>")) unmark("<|end|>", kUserDefined);
  if (ends("<|tool_response>") && ends("</s>")) unmark("</s>", kNormal);
}

/// White space around special tokens, which no GGUF key describes: llama.cpp goes by names.
void set_stripping(Vocabulary& v, const Metadata& metadata) {
  const auto lower = [](std::optional<std::string_view> text) {
    std::string out(text.value_or(""));
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    return out;
  };
  const std::string name = lower(metadata.find_string("general.name"));
  const std::string_view pre = metadata.find_string(KEY("pre")).value_or("");
  const std::string_view architecture = metadata.find_string("general.architecture").value_or("");
  const auto contains = [](std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
  };
  const auto strip_left = [&](std::string_view text) {
    if (const int32_t id = v.find(text); id != kNoToken)
      v.tokens[static_cast<size_t>(id)].flags |= kStripLeft;
  };
  if (contains(pre, "jina-v2-de") || contains(pre, "jina-v2-es") || contains(pre, "jina-v2-code") ||
      contains(architecture, "nomic-bert-moe") || contains(architecture, "jina-bert-v3")) {
    strip_left("<mask>");
  } else if (contains(name, "phi-3") || contains(name, "phi3")) {
    for (Token& token : v.tokens) {
      const bool special = (token.flags & (kControl | kUserDefined | kUnknown)) != 0;
      const bool keeps = token.text == "<unk>" || token.text == "<s>" || token.text == "<|endoftext|>";
      if ((special || token.text == "</s>") && !keeps) token.flags |= kStripRight;
    }
  } else if (contains(name, "modern-bert")) {
    strip_left("[MASK]");
  }
}

}  // namespace

void assign_special_tokens(Vocabulary& v, const Metadata& metadata) {
  for (const Role& role : kRoles) read_role(v, metadata, role);
  for (const Role& role : kRoles) find_role(v, role);
  for (Token& token : v.tokens)
    if (token.flags & kControl && token.text.find("unused") != std::string_view::npos) token.flags |= kUnused;
  find_ends_of_generation(v);
  set_stripping(v, metadata);
}

}  // namespace assay
