// The text that a comparison runs.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "diagnose/compare/compare.h"
#include "runtime/loaded_model.h"

namespace assay {

struct CompareText {
  Sequences sequences;
  std::vector<std::string>
      texts;           // of the sequences, without BOS: encoding one gives its sequence; empty: none does
  std::string source;  // in words
};

/// The prompt, or the text's first tokens, or what the anchor itself says at temperature 1: always there, in
/// the words that the model knows, and as uncertain as the model is, so that small differences show. Throws
/// UsageError (an empty prompt or text, invalid UTF-8).
CompareText make_text(const CompareOptions& options, LoadedModel& anchor);

/// The most likely tokens behind `prompt`, as far as the model's context reaches; pieces from `tokenizer`.
Continuation continue_greedily(const Model& model, Ops& ops, const Tokenizer& tokenizer,
                               const std::vector<int32_t>& prompt, size_t n_greedy);
/// The text of a token; empty for an id without one.
std::string piece_of(const Tokenizer& tokenizer, int32_t id);

}  // namespace assay
