// What an engine would make of prompts under each fault of tokens and prompts.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "diagnose/faults/fault.h"

namespace assay {

/// Some faults at once, and the ids that they give.
struct TokenHypothesis {
  using Ids = std::optional<std::vector<int32_t>>;  // nothing: a fault has nothing to touch in the prompt
  std::vector<const Fault*> faults;                 // none: the healthy tokenizer
  Ids ids;                                          // of the source
  std::vector<Ids> probes;                          // of the probes

  bool cuts_to_context() const;
};

/// What is asked under each hypothesis. A tokenizer with a large vocabulary takes much memory, so each lives
/// only as long as it encodes these.
struct TokenQuestions {
  const GgufFile& file;
  const Tokenizer& tokenizer;
  PromptSource source;
  std::vector<PromptSource> probes;
  const Fault* hidden = nullptr;  // not among the hypotheses
  size_t n_context = SIZE_MAX;    // for `source`: the most ids that a fault of the context leaves

  /// Nothing when the vocabulary has nothing that one of the faults touches. Throws UsageError as
  /// FaultyTokenizer does.
  std::optional<TokenHypothesis> ask(std::span<const Fault* const> faults) const;
};

/// Called before each hypothesis; stops by throwing.
using OnHypothesis = std::function<void(size_t n_done, size_t n_all)>;

/// The healthy one, then every single fault that applies, in the list's order.
std::vector<TokenHypothesis> single_faults(const TokenQuestions& questions,
                                           const OnHypothesis& on_hypothesis);

/// The sets of two, else of three faults that give exactly `observed`, where no single one does: of faults
/// that each bring the ids nearer to it. `singles` as single_faults gives them.
std::vector<TokenHypothesis> joined_faults(const TokenQuestions& questions,
                                           std::span<const TokenHypothesis> singles,
                                           std::span<const int32_t> observed,
                                           const OnHypothesis& on_hypothesis);

/// The probe on which the hypotheses give the most different ids; nothing when they agree on all of them.
std::optional<size_t> most_telling_probe(std::span<const TokenHypothesis* const> hypotheses);

}  // namespace assay
