#include "diagnose/compare/null_sample.h"

#include <algorithm>
#include <cmath>

#include "diagnose/compare/null_fit.h"

namespace assay {
namespace {

/// `power`: of the weights' error that the quantity goes with; `added`: the arithmetic's share, in its own
/// unit.
Test test_positive(std::string name, std::span<const double> draws, double encoded, double observed,
                   double power, double weight_ratio, double added, double fault_chance) {
  Test test{std::move(name), observed};
  if (std::any_of(draws.begin(), draws.end(), [](double v) { return !(v > 0); })) return test;
  LogNull fit = LogNull::fit(draws, 0);
  const double bias = encoded > 0 ? std::log(encoded) - fit.center : 0;
  fit = LogNull::fit(draws, bias);
  fit.center += power * std::log(weight_ratio);
  // Independent noises: KL adds, norms add as squares.
  const double middle = std::exp(fit.center);
  fit.center = power == 2 ? std::log(middle + added) : 0.5 * std::log(middle * middle + added * added);
  test.expected = std::exp(fit.center);
  test.limit = fit.limit(fault_chance);
  test.z = std::max(fit.z(observed), -99.0);
  test.p = fit.tail(observed);
  return test;
}

}  // namespace

NullSample NullSample::take(NullModel& model, const TextRun& base, const Sequences& sequences, size_t n_draws,
                            uint64_t seed, const std::function<void()>& step) {
  NullSample sample;
  for (size_t i = 0; i < n_draws; ++i) {
    const TextRun run = model.draw(seed + i, sequences);
    sample.draws.push_back(distance(base, run));
    const std::span<const float> last = run.row(run.n_tokens - 1);
    sample.last_rows.emplace_back(last.begin(), last.end());
    step();
  }
  sample.encoded = distance(base, model.encoded(sequences));
  step();
  return sample;
}

std::vector<Test> test_run(const NullSample& null, const TextRun& base, const TextRun& run,
                           const RunDistance& observed, double weight_ratio, const RunDistance* arithmetic,
                           double fault_chance) {
  std::vector<Test> tests;
  const auto gather = [&](const auto& value) {
    std::vector<double> values;
    for (const RunDistance& draw : null.draws) values.push_back(value(draw));
    return values;
  };
  const double ratio = weight_ratio > 0 && std::isfinite(weight_ratio) ? weight_ratio : 1;
  tests.push_back(test_positive("KL", gather([](const RunDistance& d) { return d.kl; }), null.encoded.kl,
                                observed.kl, 2, ratio, arithmetic ? arithmetic->kl : 0, fault_chance));
  for (size_t layer = 0; layer < observed.layers.size(); ++layer)
    tests.push_back(test_positive("l_out-" + std::to_string(layer),
                                  gather([&](const RunDistance& d) { return d.layers[layer]; }),
                                  null.encoded.layers[layer], observed.layers[layer], 1, ratio,
                                  arithmetic ? arithmetic->layers[layer] : 0, fault_chance));

  // Positions whose top token is another; Jeffreys' prior.
  const double n = double(base.n_tokens), n_draws = double(null.draws.size());
  double others = 0;
  for (const RunDistance& draw : null.draws) others += double(draw.n_other_top);
  others =
      std::min(others * ratio + (arithmetic ? n_draws * double(arithmetic->n_other_top) : 0), n_draws * n);
  const double a = others + 0.5, b = n_draws * n - others + 0.5;
  Test top{"other top tokens", double(observed.n_other_top), others / n_draws};
  top.p = beta_binomial_tail(observed.n_other_top, base.n_tokens, a, b);
  uint64_t limit = uint64_t(std::ceil(top.expected));
  while (limit < base.n_tokens && beta_binomial_tail(limit + 1, base.n_tokens, a, b) > fault_chance) ++limit;
  top.limit = double(limit);
  const double rate = a / (a + b), variance = n * rate * (1 - rate) * (1 + n / (a + b));
  top.z = (top.observed - n * rate) / std::sqrt(variance);
  tests.push_back(std::move(top));

  // What noise had to overcome for the last position's top token to become another.
  const TopToken before = top_token(base.row(base.n_tokens - 1)),
                 after = top_token(run.row(run.n_tokens - 1));
  if (before.id == after.id) return tests;
  const auto gap = [&](std::span<const float> row) {
    return double(row[size_t(before.id)]) - double(row[size_t(after.id)]);
  };
  const double anchor_gap = gap(base.row(base.n_tokens - 1));
  double squares = 0;
  for (const std::vector<float>& row : null.last_rows) squares += std::pow(gap(row) - anchor_gap, 2);
  const double spread = std::max(std::sqrt(squares / n_draws) * ratio, 1e-6);
  Test flip{"gap of the top tokens", anchor_gap, spread};
  flip.z = anchor_gap / spread;
  flip.p = student_t_tail(flip.z, n_draws);
  flip.limit = spread * std::max(1.0, flip.z);
  tests.push_back(std::move(flip));
  return tests;
}

}  // namespace assay
