#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "diagnose/compare/comparison.h"

namespace assay {
namespace {

std::string joined(const std::vector<std::string>& sentences, size_t most) {
  std::string text;
  for (size_t i = 0; i < sentences.size() && i < most; ++i) text += (i ? "; " : "") + sentences[i];
  if (sentences.size() > most) text += fmt::format("; and {} more", sentences.size() - most);
  return text;
}

std::vector<std::string> weight_faults(const CompareRow& row) {
  std::vector<std::string> faults;
  for (const TensorJudgement& tensor : row.tensors)
    if (!tensor.fault.empty()) faults.push_back(printable(tensor.name) + ": " + tensor.fault);
  return faults;
}

std::string figures(const Test& test) {
  return fmt::format("{} {:.3g}, noise gives {:.3g} and at most {:.3g}", test.name, test.observed,
                     test.expected, test.limit);
}

void judge_row(CompareRow& row, const Comparison& comparison) {
  const auto say = [&](CompareVerdict verdict, std::string reason) {
    row.verdict = verdict;
    row.reason = std::move(reason);
  };
  const Test* worst = nullptr;
  for (const Test& test : row.tests)
    if (!worst || test.p < worst->p) worst = &test;
  row.p = worst ? std::min(1.0, worst->p * double(std::max<size_t>(comparison.n_tests, 1))) : 1;

  if (!row.token_faults.empty()) return say(CompareVerdict::fault, "tokens: " + joined(row.token_faults, 2));
  if (const auto faults = weight_faults(row); !faults.empty())
    return say(CompareVerdict::fault, "weights: " + joined(faults, 2));
  if (!row.arithmetic_fault.empty()) return say(CompareVerdict::fault, "arithmetic: " + row.arithmetic_fault);
  if (!row.comparable) return say(CompareVerdict::not_enough_data, "it was not run");
  if (!std::isfinite(row.kl)) return say(CompareVerdict::fault, "logits: some are no numbers");
  if (row.null_is_exact && row.kl == 0 && row.n_same_top == comparison.n_tokens)
    return say(CompareVerdict::ok,
               row.is_anchor ? "the anchor itself" : "every value and every logit is the anchor's");
  const std::string engine =
      "; its weights are right, so the fault is in what is computed with them: see `assay diagnose`";
  if (row.null_is_exact && !row.arithmetic_kl)
    return say(CompareVerdict::fault,
               fmt::format("logits: its weights are the anchor's, so its logits must be; KL {:.3g}{}", row.kl,
                           engine));
  if (comparison.n_tokens < kLeastTokens)
    return say(CompareVerdict::not_enough_data,
               fmt::format("{} tokens try neither RoPE nor mask nor cache, and rows that agree on them are "
                           "no evidence: give "
                           "a prompt of {} or none",
                           comparison.n_tokens, kLeastTokens));
  if (!row.no_null.empty()) return say(CompareVerdict::not_enough_data, row.no_null);
  if (!worst) return say(CompareVerdict::ok, "no rounding but the arithmetic's: " + row.arithmetic);
  if (row.p < kFaultChance)
    return say(CompareVerdict::fault,
               fmt::format("logits: {} (p {:.1g}){}", figures(*worst), std::max(row.p, 1e-300), engine));
  for (const Test& test : row.tests)
    if (test.name == "KL" && test.limit > kWidestNull * test.expected)
      return say(CompareVerdict::not_enough_data,
                 fmt::format("noise alone moves KL from {:.3g} up to {:.3g}: more text is needed",
                             test.expected, test.limit));
  const Test& kl = row.tests.front();
  const std::string noise = fmt::format("KL {:.3g} where the types give {:.3g}, z {:+.1f}", kl.observed,
                                        kl.expected, std::round(kl.z * 10) / 10 + 0.0);
  if (row.p < kBulkChance)
    return say(CompareVerdict::expected_noise,
               fmt::format("{}; at the edge of the noise: {} (p {:.2g})", noise, figures(*worst), row.p));
  const Test& gap = row.tests.back();
  if (gap.name == "gap of the top tokens" && std::abs(gap.observed) > std::abs(gap.expected))
    return say(CompareVerdict::expected_noise,
               fmt::format("{}; its top token is another one, by a gap of {:.2g} that noise moves by {:.2g}",
                           noise, std::abs(gap.observed), std::abs(gap.expected)));
  return say(CompareVerdict::ok, noise);
}

}  // namespace

std::string_view verdict_name(CompareVerdict verdict) noexcept {
  constexpr std::string_view kNames[] = {"ok", "expected noise", "fault", "not enough data"};
  return kNames[size_t(verdict)];
}

bool Comparison::has_fault() const {
  return std::any_of(rows.begin(), rows.end(),
                     [](const CompareRow& row) { return row.verdict == CompareVerdict::fault; });
}

void judge(Comparison& comparison) {
  for (CompareRow& row : comparison.rows) judge_row(row, comparison);
}

}  // namespace assay
