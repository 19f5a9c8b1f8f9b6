// Which type each tensor of a quantized file gets: the standard mixes, as llama.cpp's quantizer v0.5.0
// (src/llama-quant.cpp) chooses them.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <regex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/gguf.h"

namespace assay {

/// A kind of quantized file, by the name that users know it by. Most tensors get the base type; the rules of
/// mix.cpp give some others.
struct Mix {
  std::string_view name;  // "Q4_K_M"
  uint32_t file_type;     // general.file_type in the file (llama.cpp's llama_ftype)
  const QuantType* base;
};
/// Smallest first: the list of mixes.inc.
std::span<const Mix> mixes();
/// By name, any case; Q3_K, Q4_K and Q5_K mean their _M, MXFP4 means MXFP4_MOE. Throws UsageError naming what
/// there is.
const Mix& need_mix(std::string_view name);

/// What the rules ask of a model beside its tensors.
struct ModelFacts {
  std::string architecture;
  uint64_t n_layers = 0, n_experts = 0;
  uint64_t n_gqa = 0;   // query heads that share a key/value head in the first layer; 0: there are none
  bool is_70b = false;  // a shape whose attn_v is small beside the rest
};
/// Missing keys count as 0. Throws BadValue.
ModelFacts read_model_facts(const Metadata& metadata);

/// `--tensor-type`: tensors in whose name the pattern is found get the type.
struct TypeOverride {
  std::regex pattern;
  const QuantType* type;
};
/// "REGEX=TYPE" (ECMAScript). Throws UsageError.
TypeOverride parse_type_override(const std::string& text);

struct MixOptions {
  bool pure = false;            // the base type everywhere
  bool has_importance = false;  // an importance matrix is given: some rules then save bits
  bool keep_output = false;     // output.weight stays as it is
  bool in_file_order = false;   // the rules count layers by the file's order (split outputs), else by name
  const QuantType* output = nullptr;           // of output.weight, or of the embeddings that stand for it
  const QuantType* token_embedding = nullptr;  // of token_embd.weight
  std::vector<TypeOverride> overrides;         // the first that matches counts
};

/// What becomes of one tensor.
struct TypeChoice {
  const QuantType* type = nullptr;
  const QuantType* wanted =
      nullptr;                    // the mix's choice, whose blocks do not divide the rows; null: it is `type`
  bool needs_importance = false;  // without an importance matrix the result would be worthless
};

/// One choice a tensor, in the order of `tensors`. Tensors that are never quantized (norms, routers, small
/// ones) keep their type. Anything that gives such a list can stand in for this function (quantizer.h takes
/// it). Throws UsageError when a layer number is not in a name that must have one, or a type that an option
/// names cannot hold the rows.
std::vector<TypeChoice> choose_types(std::span<const TensorInfo> tensors, const ModelFacts& model,
                                     const Mix& mix, const MixOptions& options);

}  // namespace assay
