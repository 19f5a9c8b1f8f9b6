// A file's tokenizer as an engine with faults would have it.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "diagnose/faults/fault.h"

namespace assay {

/// The healthy tokenizer behind some faults of tokens and prompts: what differs from a healthy encoding is
/// the faults' doing alone. Faults of other families change nothing here. `file` and `healthy` outlive it;
/// const use is thread safe.
class FaultyTokenizer {
 public:
  /// Builds a tokenizer where a fault changes the tables: with the largest vocabularies a fifth of a second.
  FaultyTokenizer(const GgufFile& file, const Tokenizer& healthy, std::span<const Fault* const> faults);

  /// Whether the vocabulary has what every fault touches.
  bool applies() const { return applies_; }

  /// The ids that the engine makes; at most n_context where a fault cuts them. Nullopt when a fault of
  /// prompts has nothing to touch in `source`. Throws UsageError as write_prompt and encode_prompt do for the
  /// healthy tokenizer.
  std::optional<std::vector<int32_t>> encode(const PromptSource& source, size_t n_context = SIZE_MAX) const;

 private:
  const GgufFile& file_;
  const Tokenizer& healthy_;
  std::vector<const Fault*> faults_;
  std::unique_ptr<Tokenizer> changed_;  // null: healthy_
  bool applies_ = true;
};

/// Whether `fault` is one that changes ids.
bool changes_ids(const Fault& fault) noexcept;

}  // namespace assay
