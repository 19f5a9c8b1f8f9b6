#include "diagnose/endpoint/row_match.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "tokenizer/byte_alphabet.h"

namespace assay {
namespace {

std::string with_spaces(std::string text) {
  for (size_t at = text.find(kSpaceMark); at != std::string::npos; at = text.find(kSpaceMark, at))
    text.replace(at, kSpaceMark.size(), " ");
  return text;
}

/// What printing changed the values by at most: half a unit of the last place that one of them has.
double printed_rounding(std::span<const double> values) {
  double unit = 1, largest = 0;
  for (const double v : values) {
    largest = std::max(largest, std::abs(v));
    while (unit > 1e-15 && std::abs(v / unit - std::round(v / unit)) > 1e-6) unit /= 10;
  }
  return 0.5 * unit / std::max(largest, unit);
}

}  // namespace

RowMatch::RowMatch(const Tokenizer& tokenizer)
    : tokenizer_(tokenizer), all_(size_t(tokenizer.vocabulary().n_tokens())) {
  std::iota(all_.begin(), all_.end(), 0);
  for (const int32_t id : all_) by_text_[std::string(tokenizer.piece(id))].push_back(id);
}

std::span<const int32_t> RowMatch::ids_of(const ReportedToken& token) const {
  if (token.id)
    return size_t(*token.id) < all_.size() ? std::span(all_).subspan(size_t(*token.id), 1)
                                           : std::span<const int32_t>();
  auto found = by_text_.find(token.text);
  if (found == by_text_.end()) found = by_text_.find(with_spaces(token.text));
  return found == by_text_.end() ? std::span<const int32_t>() : std::span<const int32_t>(found->second);
}

double RowMatch::known_share(const ReportedRow& row) const {
  double known = 0, all = 0;
  for (const ReportedToken& token : row) {
    all += std::exp(token.logprob);
    if (!ids_of(token).empty()) known += std::exp(token.logprob);
  }
  return all > 0 ? known / all : 0;
}

double RowMatch::divergence(const ReportedRow& row, std::span<const float> logits) const {
  constexpr double kLeast = 1e-12;  // of a probability: an engine's rounding must not make an infinity
  const float top = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (const float x : logits) total += std::exp(double(x) - top);
  double kl = 0, rest_p = 1, rest_q = 1;
  std::set<int32_t> seen;  // texts may share tokens
  for (const ReportedToken& token : row) {
    double q = 0;
    for (const int32_t id : ids_of(token))
      if (size_t(id) < logits.size() && seen.insert(id).second)
        q += std::exp(double(logits[size_t(id)]) - top) / total;
    if (q == 0) continue;  // unknown: among the rest
    const double p = std::exp(token.logprob);
    kl += p * std::log(std::max(p, kLeast) / std::max(q, kLeast));
    rest_p -= p;
    rest_q -= q;
  }
  rest_p = std::max(rest_p, kLeast), rest_q = std::max(rest_q, kLeast);
  return std::max(0.0, kl + rest_p * std::log(rest_p / rest_q));
}

ObservedRow RowMatch::observed(const ReportedRow& row, size_t position) const {
  ObservedRow seen{position, {}, {}, true};
  std::set<int32_t> known;
  for (const ReportedToken& token : row)
    if (const auto ids = ids_of(token); ids.size() == 1 && known.insert(ids[0]).second) {
      seen.ids.push_back(ids[0]);
      seen.values.push_back(token.logprob);
    }
  seen.rounding = std::max(seen.rounding, printed_rounding(seen.values));
  return seen;
}

ReportedRow RowMatch::report(std::span<const float> logits, size_t n_tokens) const {
  const float top = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (const float x : logits) total += std::exp(double(x) - top);
  std::vector<int32_t> ids(std::min(all_.size(), logits.size()));
  std::iota(ids.begin(), ids.end(), 0);
  n_tokens = std::min(n_tokens, ids.size());
  std::partial_sort(ids.begin(), ids.begin() + ptrdiff_t(n_tokens), ids.end(),
                    [&](int32_t a, int32_t b) { return logits[size_t(a)] > logits[size_t(b)]; });
  ReportedRow row;
  for (size_t i = 0; i < n_tokens; ++i)
    row.push_back({std::string(tokenizer_.piece(ids[i])), ids[i],
                   double(logits[size_t(ids[i])]) - top - std::log(total)});
  return row;
}

}  // namespace assay
