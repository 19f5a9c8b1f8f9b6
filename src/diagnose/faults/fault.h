// A fault: one small, documented change of one behaviour, as real engines have shipped it. One list of them
// serves verify (how many are caught?), diagnose (which one explains what was seen?) and the pages that
// people read.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "diagnose/faults/prompt_text.h"
#include "gguf/gguf.h"
#include "model/model.h"
#include "ops/forward_ops.h"
#include "tokenizer/tokenizer.h"

namespace assay {

enum class FaultFamily : uint8_t {
  block_decode,
  container,
  tokenization,
  prompt,
  rope,
  attention,
  norm,
  ffn,
  head,  // residual stream, multipliers, embedding, output head
  kv_cache,
  numerics
};
/// "block decode", "rope", ...
std::string_view family_name(FaultFamily family) noexcept;

/// Decoders gone wrong: rows of the quant table that stand in for the healthy rows of the same ids. Sizes are
/// the healthy ones.
struct DecodeFault {
  std::span<const QuantType> types;
};

/// A tensor where its file has it.
struct StoredTensor {
  const GgufFile& file;
  const TensorInfo& info;
  const Hparams* hparams = nullptr;  // null: the file is no model that Assay runs
};

/// Right blocks in wrong places: what an engine holds of a whole tensor.
struct LayoutFault {
  /// Whether the engine would hold other values than the file says.
  bool (*touches)(const StoredTensor& tensor);
  /// The values that it holds, n_elements f32, experts and rows in the file's order. Never reads outside the
  /// file.
  void (*decode)(const StoredTensor& tensor, std::span<float> values);
};

/// A wrong computation on right weights.
struct OpsFault {
  /// `inner`, with the fault in front of it; null when `model` has nothing that the fault could touch. Both
  /// outlive the result.
  std::unique_ptr<ForwardOps> (*wrap)(Ops& inner, const Model& model);
};

/// A wrong tokenizer: what is wrong before it, in its tables, or after it. A step that is null is healthy.
struct TokensFault {
  /// Whether the vocabulary has something that the fault could touch; null: every vocabulary has.
  bool (*touches)(const Tokenizer& healthy) = nullptr;
  /// What the engine does to the prompt's text first.
  void (*rewrite)(const Tokenizer& healthy, PromptText& prompt) = nullptr;
  /// What it reads otherwise in the file.
  void (*change)(TokenizerTables& tables) = nullptr;
  /// The tokenizer that it has; null: make_tokenizer.
  std::unique_ptr<Tokenizer> (*make)(TokenizerTables tables) = nullptr;
  /// What it does to the ids; n_context: the most that it takes.
  void (*edit)(const Tokenizer& healthy, std::vector<int32_t>& ids, size_t n_context) = nullptr;
  bool cuts_to_context = false;  // `edit` looks at n_context
};

/// A wrong prompt for right tokens.
struct PromptFault {
  /// The prompt that the engine makes; nullopt when the source or the file has nothing that the fault could
  /// touch.
  std::optional<PromptText> (*write)(const GgufFile& file, const Tokenizer& healthy,
                                     const PromptSource& source);
};

struct Fault {
  std::string_view id;  // "q4_k-scale-high-bits": lower case, unique, stable
  FaultFamily family;
  std::string_view change;   // what is done, and what should be
  std::string_view affects;  // types, tensors, architectures
  std::string_view symptom;  // what an author sees
  std::string_view mend;     // what to change in the engine
  std::string_view source;   // who had it: a public report, or "from the format"
  std::variant<DecodeFault, LayoutFault, OpsFault, TokensFault, PromptFault> injection;
};

/// All faults, family after family, in the order of families.inc. The only list.
std::span<const Fault* const> faults() noexcept;
/// Null when there is none of that id.
const Fault* find_fault(std::string_view id) noexcept;
/// Throws UsageError naming the nearest ids.
const Fault& need_fault(std::string_view id);

/// The faulty row for a type, or null when a fault leaves its decoder alone.
const QuantType* faulty_type(const Fault& fault, const QuantType& healthy) noexcept;

}  // namespace assay
