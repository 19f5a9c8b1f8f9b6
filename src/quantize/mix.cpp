#include "quantize/mix.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <numeric>
#include <optional>

#include "base/load_error.h"
#include "quantize/mix_rules.h"

namespace assay {
namespace {

constexpr std::string_view kNeedImportance[] = {"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS"};

bool fits(const QuantType& type, const TensorInfo& tensor) {
  return tensor.n_cols() % type.block_elems == 0;
}

const QuantType* fallback(const QuantType& wanted, const TensorInfo& tensor) {
  for (const Fallback& f : fallbacks())
    if (const QuantType* type = find_quant_type(f.instead); f.type == wanted.name && fits(*type, tensor))
      return type;
  return find_quant_type("F16");
}

/// Only matrices called "...weight". A matrix of one row counts as a vector.
bool may_quantize(const TensorInfo& tensor, const MixOptions& options) {
  if (tensor.n_elements == tensor.n_cols() || !tensor.name.ends_with("weight")) return false;
  if (options.keep_output && role_of(tensor.name) == kOutput) return false;
  return !is_never_quantized(tensor.name);
}

bool needs_importance(const TensorInfo& tensor, const QuantType& type, MixId mix) {
  const Role role = role_of(tensor.name);
  if (role == kTokenEmbd || role == kOutput) return false;
  if (type.name == "Q2_K") return mix == kQ2_K_S;
  return std::find(std::begin(kNeedImportance), std::end(kNeedImportance), type.name) !=
         std::end(kNeedImportance);
}

/// The N of "blk.N."; nullopt for other names.
std::optional<uint64_t> layer_of(std::string_view name) {
  constexpr std::string_view kStart = "blk.";
  if (!name.starts_with(kStart)) return std::nullopt;
  uint64_t layer = 0;
  const char* const name_end = name.data() + name.size();
  const auto [end, error] = std::from_chars(name.data() + kStart.size(), name_end, layer);
  if (error != std::errc() || end == name_end || *end != '.') return std::nullopt;
  return layer;
}

/// Layer `i` of `n`, as bits.
uint32_t layer_bits(uint64_t i, uint64_t n) {
  const bool first_8th = i < n / 8, last_8th = i >= 7 * n / 8;
  uint32_t bits = 0;
  if (i < 2) bits |= kFirst2;
  if (i < 4) bits |= kFirst4;
  if (first_8th) bits |= kFirst8th;
  if (i < n / 16) bits |= kFirst16th;
  if (!first_8th && !last_8th) bits |= kMiddle;
  if (first_8th || last_8th || (i - n / 8) % 3 == 2) bits |= kMoreBits;
  return bits;
}

/// Chooses tensor by tensor: the rules count the tensors of a role.
class Chooser {
 public:
  Chooser(std::span<const TensorInfo> tensors, const ModelFacts& model, const Mix& mix,
          const MixOptions& options)
      : model_(model), mix_(MixId(&mix - mixes().data())), base_(*mix.base), options_(options) {
    for (const TensorInfo& tensor : tensors) {
      const Role role = role_of(tensor.name);
      n_attn_v_ += role == kAttnV;
      has_output_ |= role == kOutput;
    }
    if (model.n_gqa >= 4) model_bits_ |= kGqa4;
    if (model.n_experts >= 4) model_bits_ |= kExperts4;
    if (model.n_experts == 8) model_bits_ |= kExperts8;
    if (model.architecture == "falcon") model_bits_ |= kFalcon;
    model_bits_ |= options.has_importance ? kImportance : kNoImportance;
  }

  TypeChoice choose(const TensorInfo& tensor) {
    if (!may_quantize(tensor, options_)) return {tensor.type, nullptr, false};
    TypeChoice choice;
    if (const QuantType* type = named_by_role(tensor)) {
      if (!fits(*type, tensor))
        throw UsageError("tensor " + printable(tensor.name) + ": rows of " + std::to_string(tensor.n_cols()) +
                         " are not whole blocks of " + std::string(type->name));
      choice.type = type;
    } else {
      choice.type = named_by_pattern(tensor);
      if (!choice.type) choice.type = options_.pure || base_.block_elems == 1 ? &base_ : by_rules(tensor);
      if (!fits(*choice.type, tensor)) {
        choice.wanted = choice.type;
        choice.type = fallback(*choice.wanted, tensor);
      }
    }
    choice.needs_importance = needs_importance(tensor, *choice.type, mix_);
    return choice;
  }

 private:
  const QuantType* named_by_role(const TensorInfo& tensor) const {
    const Role role = role_of(tensor.name);
    if (role == kTokenEmbd && options_.token_embedding) return options_.token_embedding;
    return role == kOutput ? options_.output : nullptr;
  }

  const QuantType* named_by_pattern(const TensorInfo& tensor) const {
    for (const TypeOverride& o : options_.overrides)
      if (std::regex_search(tensor.name.begin(), tensor.name.end(), o.pattern)) return o.type;
    return nullptr;
  }

  const QuantType* by_rules(const TensorInfo& tensor) {
    Role role = role_of(tensor.name);
    if (role == kTokenEmbd && !has_output_) role = kOutput;
    if (role == kOutput && options_.output) return options_.output;
    const bool is_ffn = role == kFfnUp || role == kFfnGate || role == kFfnDown;
    uint32_t bits = model_bits_;
    if (!fits(base_, tensor)) bits |= kRowsMisfit;
    if (tensor.dims[2] > 1 && (is_ffn || model_.architecture != "bailingmoe3")) bits |= kExpertMatrix;
    if (role == kAttnV) bits |= layer_bits(n_seen_[role]++, n_attn_v_);
    if (is_ffn) bits |= layer_bits(ffn_layer(tensor, role), model_.n_layers);
    const QuantType* type = &base_;
    for (const Rule& rule : mix_rules())
      if (rule.mixes.has(mix_) && rule.roles.has(role) && (rule.when & bits) == rule.when) {
        if (!rule.type.empty()) type = find_quant_type(rule.type);
        break;
      }
    // The one rule about other rules' choices: attn_v of these models is small, so more bits cost little.
    if (role == kAttnV && model_.is_70b && !kTwoBits.has(mix_) &&
        (type->name == "Q3_K" || type->name == "Q4_K"))
      type = find_quant_type("Q5_K");
    return type;
  }

  /// A layer's experts may lie in several tensors: there, the name tells the layer. Some mixes count all the
  /// same.
  uint64_t ffn_layer(const TensorInfo& tensor, Role role) {
    const uint64_t count = n_seen_[role]++;
    if (model_.n_experts <= 1 || kTwoBits.has(mix_) || mix_ == kMXFP4_MOE) return count;
    const auto layer = layer_of(tensor.name);
    if (!layer || *layer >= model_.n_layers)
      throw UsageError("tensor " + printable(tensor.name) + ": its name has no layer below " +
                       std::to_string(model_.n_layers));
    return *layer;
  }

  const ModelFacts& model_;
  const MixId mix_;
  const QuantType& base_;
  const MixOptions& options_;
  uint32_t model_bits_ = kAlways;
  uint64_t n_attn_v_ = 0;
  std::array<uint64_t, kRoles> n_seen_{};
  bool has_output_ = false;
};

/// llama.cpp's loader lists tensors by layer, those of none first, then by name.
std::vector<size_t> order_of_choice(std::span<const TensorInfo> tensors, bool in_file_order) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t(0));
  if (in_file_order) return order;
  std::vector<std::optional<uint64_t>> layers;
  for (const TensorInfo& tensor : tensors) layers.push_back(layer_of(tensor.name));
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return layers[a] != layers[b] ? layers[a] < layers[b] : tensors[a].name < tensors[b].name;
  });
  return order;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return upper(x) == upper(y); });
}

/// A number of metadata, or the first of an array with one a layer.
std::optional<uint64_t> first_number(const Metadata& metadata, const std::string& key) {
  const Value* value = metadata.find(key);
  if (!value) return std::nullopt;
  if (value->type != GgufType::array) return metadata.find_uint(key);
  const auto numbers = metadata.find_ints(key);
  return numbers->empty() ? 0 : uint64_t(std::max<int64_t>(numbers->front(), 0));
}

}  // namespace

std::span<const Mix> mixes() {
  static const Mix kMixes[] = {
#define MIX(name, file_type, base) {#name, file_type, find_quant_type(#base)},
#include "quantize/mixes.inc"
#undef MIX
  };
  return kMixes;
}

const Mix& need_mix(std::string_view name) {
  constexpr struct {
    std::string_view alias, name;
  } kAliases[] = {{"Q3_K", "Q3_K_M"}, {"Q4_K", "Q4_K_M"}, {"Q5_K", "Q5_K_M"}, {"MXFP4", "MXFP4_MOE"}};
  std::string_view wanted = name;
  for (const auto& [alias, meaning] : kAliases)
    if (equal_ignoring_case(name, alias)) wanted = meaning;
  std::string known;
  for (const Mix& mix : mixes()) {
    if (equal_ignoring_case(mix.name, wanted)) return mix;
    (known += ' ') += mix.name;
  }
  throw UsageError("\"" + printable(name) + "\" is not a type of file; there are" + known);
}

ModelFacts read_model_facts(const Metadata& metadata) {
  ModelFacts facts;
  facts.architecture = metadata.find_string("general.architecture").value_or("");
  const auto number = [&](const char* name, uint64_t absent) {
    constexpr uint64_t kMost = 1 << 20;  // keeps sums of them far from any limit
    const std::string key = facts.architecture + "." + name;
    const uint64_t value = first_number(metadata, key).value_or(absent);
    if (value > kMost) throw BadValue(metadata.place(key), "is " + std::to_string(value));
    return value;
  };
  facts.n_layers = number("block_count", 0);
  facts.n_experts = number("expert_count", 0);
  const uint64_t n_heads = number("attention.head_count", 0);
  const uint64_t n_kv_heads = number("attention.head_count_kv", n_heads);
  facts.n_gqa = n_kv_heads == 0 ? 0 : n_heads / n_kv_heads;
  const auto is_one_of = [&](std::initializer_list<std::string_view> architectures) {
    return std::find(architectures.begin(), architectures.end(), facts.architecture) != architectures.end();
  };
  const bool is_llama = is_one_of({"llama", "llama-embed"}) && n_heads != n_kv_heads && facts.n_experts != 8;
  facts.is_70b = facts.n_layers == 80 && (is_llama || is_one_of({"deci", "olmo", "qwen2"}));
  return facts;
}

TypeOverride parse_type_override(const std::string& text) {
  const size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0)
    throw UsageError("--tensor-type: \"" + printable(text) + "\" is not REGEX=TYPE");
  const std::string pattern = text.substr(0, equals), name = text.substr(equals + 1);
  const QuantType* type = find_quant_type(name);
  if (!type) throw UsageError("--tensor-type: \"" + printable(name) + "\" is not a type");
  try {
    return {std::regex(pattern), type};
  } catch (const std::regex_error& error) {
    throw UsageError("--tensor-type: \"" + printable(pattern) + "\": " + error.what());
  }
}

std::vector<TypeChoice> choose_types(std::span<const TensorInfo> tensors, const ModelFacts& model,
                                     const Mix& mix, const MixOptions& options) {
  Chooser chooser(tensors, model, mix, options);
  std::vector<TypeChoice> choices(tensors.size());
  for (const size_t i : order_of_choice(tensors, options.in_file_order))
    choices[i] = chooser.choose(tensors[i]);
  return choices;
}

}  // namespace assay
