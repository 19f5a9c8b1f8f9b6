#include "judge/statistics.h"

#include <algorithm>
#include <cmath>

namespace assay {
namespace {

constexpr double kLeastBase = -16;  // llama.cpp's files clip there
constexpr double kFractions[] = {0.01, 0.05, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999};

size_t top_of(std::span<const float> logits) {
  return size_t(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

/// log sum exp(logit).
double log_partition(LogitRow row, double top) {
  if (row.normalized) return 0;
  double sum = 0;
  for (const float logit : row.logits) sum += std::exp(double(logit) - top);
  return top + std::log(sum);
}

struct Moments {
  double mean = 0, variance_of_mean = 0;
};

/// The variance as llama.cpp estimates it: (mean(v^2) - mean(v)^2) / (n - 1), summed in a way that does not
/// cancel.
Moments moments(std::span<const double> values) {
  const auto n = double(values.size());
  Moments m;
  for (const double v : values) m.mean += v;
  m.mean /= n;
  if (values.size() < 2) return m;
  for (const double v : values) m.variance_of_mean += (v - m.mean) * (v - m.mean);
  m.variance_of_mean /= n * (n - 1);
  return m;
}

template <class Field>
std::vector<double> column(std::span<const Divergence> all, const Field& field) {
  std::vector<double> values(all.size());
  std::transform(all.begin(), all.end(), values.begin(), field);
  return values;
}

std::vector<DivergenceSummary::Percentile> percentiles(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  std::vector<DivergenceSummary::Percentile> result;
  for (const double fraction : kFractions) result.push_back({fraction, percentile(values, fraction)});
  return result;
}

}  // namespace

double surprise(LogitRow row, int32_t target) {
  const double top = row.logits[top_of(row.logits)];
  return log_partition(row, top) - double(row.logits[size_t(target)]);
}

double Divergence::delta_p() const {
  return std::exp(-nll) - std::exp(-base_nll);
}

Divergence diverge(LogitRow base, LogitRow row, int32_t target) {
  const size_t base_top = top_of(base.logits), top = top_of(row.logits);
  const double base_z = log_partition(base, base.logits[base_top]), z = log_partition(row, row.logits[top]);
  Divergence d;
  d.nll = z - double(row.logits[size_t(target)]);
  d.base_nll = base_z - double(base.logits[size_t(target)]);
  d.same_top = base_top == top;
  for (size_t i = 0; i < base.logits.size(); ++i) {
    const double log_p = double(base.logits[i]) - base_z;
    if (base.normalized && log_p <= kLeastBase) continue;
    const double p = std::exp(log_p);
    if (p > 0) d.kl += p * (log_p - (double(row.logits[i]) - z));
  }
  return d;
}

Estimate perplexity(std::span<const double> nll) {
  const Moments m = moments(nll);
  const double value = std::exp(m.mean);
  return {value, value * std::sqrt(m.variance_of_mean)};
}

Estimate mean(std::span<const double> values) {
  const Moments m = moments(values);
  return {m.mean, std::sqrt(m.variance_of_mean)};
}

Estimate root_mean_square(std::span<const double> values) {
  std::vector<double> squares(values.size());
  std::transform(values.begin(), values.end(), squares.begin(), [](double v) { return v * v; });
  const Estimate square = mean(squares);
  const double root = std::sqrt(square.value);
  return {root, root > 0 ? square.error / (2 * root) : 0};
}

Estimate percentile(std::span<const double> sorted, double fraction) {
  const double last = double(sorted.size() - 1);
  const auto at = [&](double rank) {
    rank = std::clamp(rank, 0.0, last);
    const auto below = size_t(rank);
    const size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (rank - double(below)) * (sorted[above] - sorted[below]);
  };
  const double rank = fraction * last;
  const double deviation = std::sqrt(double(sorted.size()) * fraction * (1 - fraction));
  return {at(rank), (at(rank + deviation) - at(rank - deviation)) / 2};
}

DivergenceSummary summarize(std::span<const Divergence> all) {
  const std::vector<double> nll = column(all, [](const Divergence& d) { return d.nll; });
  const std::vector<double> base_nll = column(all, [](const Divergence& d) { return d.base_nll; });
  const std::vector<double> log_ratio = column(all, [](const Divergence& d) { return d.nll - d.base_nll; });
  const std::vector<double> kl = column(all, [](const Divergence& d) { return d.kl; });
  const std::vector<double> delta_p = column(all, [](const Divergence& d) { return d.delta_p(); });
  const std::vector<double> same = column(all, [](const Divergence& d) { return d.same_top ? 1.0 : 0.0; });
  DivergenceSummary s;
  s.perplexity = perplexity(nll);
  s.base_perplexity = perplexity(base_nll);
  s.perplexity_ratio = perplexity(log_ratio);
  s.kl = mean(kl);
  s.delta_p = mean(delta_p);
  s.rms_delta_p = root_mean_square(delta_p);
  s.same_top = mean(same);
  s.kl_min = *std::min_element(kl.begin(), kl.end());
  s.kl_max = *std::max_element(kl.begin(), kl.end());
  s.kl_percentiles = percentiles(kl);
  s.delta_p_percentiles = percentiles(delta_p);
  return s;
}

}  // namespace assay
