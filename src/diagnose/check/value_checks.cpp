// Checks of the values: every block of every tensor was decoded.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "diagnose/check/check.h"

namespace assay {
namespace {

using enum CheckStatus;

std::string place(const CheckSubject& s, size_t tensor, size_t expert) {
  std::string text = printable(s.file->tensors()[tensor].name);
  if (s.values[tensor].size() > 1) text += fmt::format(", expert {}", expert);
  return text;
}

/// visit(tensor, expert, sums)
template <class Visit>
void for_each(const CheckSubject& s, const Visit& visit) {
  for (size_t t = 0; t < s.values.size(); ++t)
    for (size_t e = 0; e < s.values[t].size(); ++e) visit(t, e, s.values[t][e]);
}

CheckResult run_finite(const CheckSubject& s) {
  CheckResult result;
  uint64_t n = 0;
  for_each(s, [&](size_t t, size_t e, const ValueSums& v) {
    n += v.n_values;
    if (v.n_nan + v.n_inf > 0)
      result.say(fault, fmt::format("{}: {} NaN, {} infinite of {} values", place(s, t, e), v.n_nan, v.n_inf,
                                    v.n_values));
  });
  if (result.sentences.empty()) result.say(ok, fmt::format("all {} values are numbers", n));
  return result;
}

CheckResult run_zeros(const CheckSubject& s) {
  CheckResult result;
  for_each(s, [&](size_t t, size_t e, const ValueSums& v) {
    if (v.n_zero != v.n_values) return;
    const bool bias = s.file->tensors()[t].name.ends_with(".bias");
    result.say(bias ? warning : fault, place(s, t, e) + ": every value is 0");
  });
  if (result.sentences.empty()) result.say(ok, "no tensor and no expert is zero");
  return result;
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.size() % 2 ? v[v.size() / 2] : (v[v.size() / 2 - 1] + v[v.size() / 2]) / 2;
}

/// Of log values: one stands out when it is more than 8 robust standard deviations, and a factor of 4, from
/// the median. Eight: the largest of ten thousand normal values lies at 4, and depths of layers are not
/// normal.
constexpr double kDeviations = 8, kFactor = 4;

CheckResult run_outliers(const CheckSubject& s) {
  // Tensors of one name in all layers, and the experts of one tensor, are of a kind.
  std::map<std::string, std::vector<std::pair<size_t, size_t>>> kinds;
  for_each(s, [&](size_t t, size_t e, const ValueSums& v) {
    const std::string_view name = s.file->tensors()[t].name;
    if (!name.starts_with("blk.") || v.rms() == 0) return;
    const size_t dot = name.find('.', 4);
    if (dot != name.npos) kinds[std::string(name.substr(dot))].emplace_back(t, e);
  });
  CheckResult result;
  for (const auto& [kind, members] : kinds) {
    if (members.size() < 4) continue;
    std::vector<double> logs;
    for (const auto& [t, e] : members) logs.push_back(std::log(s.values[t][e].rms()));
    const double middle = median(logs);
    std::vector<double> off;
    for (const double v : logs) off.push_back(std::abs(v - middle));
    const double spread = 1.4826 * median(off);
    for (size_t i = 0; i < logs.size(); ++i)
      if (std::abs(logs[i] - middle) > std::max(kDeviations * spread, std::log(kFactor)))
        result.say(warning, fmt::format("{}: its RMS is {:.3g} where the like have {:.3g}",
                                        place(s, members[i].first, members[i].second), std::exp(logs[i]),
                                        std::exp(middle)));
  }
  if (result.sentences.empty()) result.say(ok, "no layer and no expert stands out among its like");
  return result;
}

/// Trained gains of RMS norms start at 1 and stay positive, but for a few. A file whose converter did not add
/// the 1 that Gemma stores them without has many around and below 0, yet few below -1: with the 1 they are
/// trained gains. One that took 1 away has nearly all below 0, and no training ends so; one to which 1 was
/// added twice has none below 1. Gains that lie on both sides of 0 farther than 1 are another model's doing.
constexpr double kManyNegative = 0.25, kNearlyAllNegative = 0.75, kFew = 0.05;

CheckResult run_norms(const CheckSubject& s) {
  CheckResult result;
  size_t n_norms = 0, n_above_one = 0;
  for (size_t t = 0; t < s.values.size(); ++t) {
    const TensorInfo& tensor = s.file->tensors()[t];
    if (!tensor.name.ends_with("norm.weight") || tensor.n_dims > 2 || s.values[t].size() != 1) continue;
    const ValueSums& v = s.values[t][0];
    if (v.n_nan + v.n_inf > 0) continue;
    ++n_norms;
    const double mean = v.sum / double(v.n_values);
    const double share = double(v.n_negative) / double(v.n_values);
    const bool trained_with_one = double(v.n_below_minus_one) <= kFew * double(v.n_values);
    if (share > kNearlyAllNegative || (share > kManyNegative && trained_with_one))
      result.say(share > kNearlyAllNegative ? fault : warning,
                 fmt::format("{}: {:.0f} % of its gains are negative, their mean is {:.3f}: off by one?",
                             printable(tensor.name), 100 * share, mean));
    // The least gain is not known, but squares and sums are: none below 1 means mean >= 1 and no negative
    // one.
    n_above_one += v.n_negative == 0 && mean > 2 &&
                   v.squares / double(v.n_values) - mean * mean < 0.25 * (mean - 1) * (mean - 1);
  }
  if (n_norms == 0) return CheckResult::skip("it has no norms");
  if (n_above_one == n_norms) result.say(warning, "every norm's gains lie far above 1: was 1 added twice?");
  if (result.sentences.empty())
    result.say(ok, fmt::format("the gains of {} norms are where training leaves them", n_norms));
  return result;
}

}  // namespace

extern const Check check_finite{"finite", "every block decoded; no NaN, no infinity, by tensor and expert",
                                run_finite};
extern const Check check_zeros{"zeros", "no tensor or expert is all zero", run_zeros};
extern const Check check_outliers{"outliers", "each tensor's RMS among those of the other layers and experts",
                                  run_outliers};
extern const Check check_norms{"norms", "gains of norms are not off by one", run_norms};

}  // namespace assay
