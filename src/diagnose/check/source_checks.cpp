// Checks against what a file was quantized from: assay compare's own judgement.
#include <fmt/format.h>

#include <algorithm>

#include "diagnose/check/check.h"

namespace assay {
namespace {

using enum CheckStatus;

/// Why there is nothing to look at; nullopt when there is.
std::optional<CheckResult> unavailable(const CheckSubject& s) {
  if (!s.source) return CheckResult::skip("no --source");
  if (s.comparison) return std::nullopt;
  CheckResult result;
  result.say(fault, s.comparison_error);
  return result;
}

CheckResult run_weights(const CheckSubject& s) {
  if (auto none = unavailable(s)) return *none;
  const CompareRow& row = s.comparison->rows.front();
  CheckResult result;
  double largest = 0;
  for (const TensorJudgement& tensor : row.tensors) {
    if (!tensor.fault.empty())
      result.say(fault, printable(tensor.name) + ": " + tensor.fault);
    else if (tensor.relative_rms > 0)
      largest = std::max(largest, tensor.ratio);
  }
  for (const std::string& text : row.token_faults) result.say(fault, text);
  for (const std::string& note : row.notes) result.say(warning, note);
  if (result.status == ok)
    result.say(ok, fmt::format(
                       "{} tensors within what their types must give: {:.2f} times it in all, {:.2f} at most",
                       row.tensors.size(), row.weight_ratio, largest));
  return result;
}

CheckResult run_divergence(const CheckSubject& s) {
  if (auto none = unavailable(s)) return *none;
  const CompareRow& row = s.comparison->rows.front();
  if (!row.comparable) return CheckResult::skip("it does not run as the source does");
  CheckResult result;
  const std::string text = fmt::format(
      "KL {:.3g} from the source over {} tokens, top token kept at {:.1f} %: {}", row.kl,
      s.comparison->n_tokens, 100 * double(row.n_same_top) / double(s.comparison->n_tokens), row.reason);
  switch (row.verdict) {
    case CompareVerdict::ok:
    case CompareVerdict::expected_noise:
      result.say(ok, text);
      break;
    case CompareVerdict::fault:
      result.say(fault, text);
      break;
    case CompareVerdict::not_enough_data:
      result.say(warning, text);
  }
  return result;
}

}  // namespace

extern const Check check_weights{
    "weights", "each tensor's error against the source is what its type must give", run_weights};
extern const Check check_divergence{"divergence", "KL from the source is what the types' noise gives",
                                    run_divergence};

}  // namespace assay
