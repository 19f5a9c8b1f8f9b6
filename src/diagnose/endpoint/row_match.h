// A reported row beside a model's own logits.
#pragma once
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "diagnose/endpoint/endpoint.h"
#include "diagnose/logit_diagnosis.h"
#include "tokenizer/tokenizer.h"

namespace assay {

/// Which ids the reported texts stand for.
class RowMatch {
 public:
  explicit RowMatch(const Tokenizer& tokenizer);

  /// Share of the reported probability whose tokens the vocabulary has.
  double known_share(const ReportedRow& row) const;

  /// KL(reported || softmax(logits)) in nats, of the distributions over the reported tokens and "any other":
  /// what merging tokens into one loses makes it a lower bound of the full KL (data-processing inequality),
  /// so it never accuses a right engine more than the full one would.
  double divergence(const ReportedRow& row, std::span<const float> logits) const;

  /// The row as logits after `position`: its tokens that stand for one id each.
  ObservedRow observed(const ReportedRow& row, size_t position) const;

  /// The top of a row of logits as an engine would report it.
  ReportedRow report(std::span<const float> logits, size_t n_tokens) const;

 private:
  std::span<const int32_t> ids_of(const ReportedToken& token) const;

  const Tokenizer& tokenizer_;
  std::unordered_map<std::string, std::vector<int32_t>> by_text_;
  std::vector<int32_t> all_;  // 0, 1, 2, ...
};

}  // namespace assay
