// Definitions, computed here a second time in the plainest way, and what must hold of any distributions.
#include "judge/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace assay {
namespace {

std::vector<float> random_logits(size_t n, uint32_t seed, float spread) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> logits(n);
  for (float& logit : logits) logit = normal(random);
  return logits;
}

std::vector<long double> probabilities(const std::vector<float>& logits) {
  std::vector<long double> p;
  long double sum = 0;
  for (const float logit : logits) sum += p.emplace_back(std::exp((long double)logit));
  for (long double& value : p) value /= sum;
  return p;
}

TEST(Statistics, OneRowAgainstTheDefinition) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    const auto base = random_logits(50, seed, 3), row = random_logits(50, seed + 100, 3);
    const auto p = probabilities(base), q = probabilities(row);
    const auto target = int32_t(seed % 50);
    long double kl = 0;
    for (size_t i = 0; i < 50; ++i) kl += p[i] * std::log(p[i] / q[i]);
    const Divergence d = diverge({base}, {row}, target);
    EXPECT_NEAR(d.kl, double(kl), 1e-12);
    EXPECT_NEAR(d.nll, -double(std::log(q[size_t(target)])), 1e-12);
    EXPECT_NEAR(d.base_nll, -double(std::log(p[size_t(target)])), 1e-12);
    EXPECT_NEAR(d.delta_p(), double(q[size_t(target)] - p[size_t(target)]), 1e-12);
    EXPECT_EQ(d.same_top, std::max_element(p.begin(), p.end()) - p.begin() ==
                              std::max_element(q.begin(), q.end()) - q.begin());
    EXPECT_EQ(surprise({row}, target), d.nll);
  }
}

TEST(Statistics, LargeLogitsStayFinite) {
  const std::vector<float> a = {3e38f, 0, -3e38f}, b = {1, 2, 3};
  EXPECT_TRUE(std::isfinite(diverge({b}, {{b}}, 0).kl));
  EXPECT_EQ(surprise({a}, 0), 0);
  EXPECT_TRUE(std::isinf(surprise({std::vector<float>{INFINITY, 0}}, 1)) ||
              std::isnan(surprise({std::vector<float>{INFINITY, 0}}, 1)));
}

RC_GTEST_PROP(Statistics, KlIsZeroForTheSameAndNeverLess, ()) {
  const auto n = *rc::gen::inRange<size_t>(2, 200);
  const auto seed = *rc::gen::arbitrary<uint32_t>();
  const auto base = random_logits(n, seed, 5);
  auto row = random_logits(n, seed + 1, 5);
  RC_ASSERT(diverge({base}, {base}, 0).kl == 0);
  RC_ASSERT(diverge({base}, {base}, 0).same_top);
  const double kl = diverge({base}, {row}, 0).kl;
  RC_ASSERT(kl > -1e-12);
  // A constant added to all logits, or the same order of tokens changed in both, changes nothing.
  std::vector<float> shifted = row, base_turned = base, row_turned = row;
  for (float& logit : shifted) logit += 4;
  std::reverse(base_turned.begin(), base_turned.end());
  std::reverse(row_turned.begin(), row_turned.end());
  RC_ASSERT(std::abs(diverge({base}, {shifted}, 0).kl - kl) < 1e-5 * (1 + kl));
  RC_ASSERT(std::abs(diverge({base_turned}, {row_turned}, 0).kl - kl) < 1e-12 * (1 + kl));
}

TEST(Statistics, NormalizedBaseLeavesOutWhatLlamaCppClips) {
  const std::vector<float> base = {-1e-7f, -16, -16}, row = {0, 5, 5};
  const double z = std::log(1 + 2 * std::exp(5.0));
  EXPECT_NEAR(diverge({base, true}, {row}, 0).kl, std::exp(-1e-7) * (z - 1e-7), 1e-6);
}

TEST(Statistics, Estimates) {
  // By hand: values 1, 2, 3, 6 have mean 3, mean square 12.5, variance 3.5; of the mean 3.5 / 3.
  const std::vector<double> values = {1, 2, 3, 6};
  EXPECT_NEAR(mean(values).value, 3, 1e-15);
  EXPECT_NEAR(mean(values).error, std::sqrt(3.5 / 3), 1e-15);
  EXPECT_NEAR(perplexity(values).value, std::exp(3), 1e-12);
  EXPECT_NEAR(perplexity(values).error, std::exp(3) * std::sqrt(3.5 / 3), 1e-12);
  EXPECT_NEAR(root_mean_square(values).value, std::sqrt(12.5), 1e-15);
  EXPECT_EQ(mean(std::vector<double>{7}).error, 0);
  EXPECT_EQ(percentile(values, 0).value, 1);
  EXPECT_EQ(percentile(values, 1).value, 6);
  EXPECT_EQ(percentile(values, 0.5).value, 2.5);
  EXPECT_EQ(percentile(std::vector<double>{4}, 0.9).value, 4);
}

/// Error bars mean what they say: about two thirds of repeated measurements lie within one of them.
TEST(Statistics, ErrorBarsCoverTheSpread) {
  std::mt19937 random(1);
  std::exponential_distribution<double> draw(1);
  constexpr int kRuns = 400;
  int within_mean = 0, within_median = 0, within_rms = 0;
  for (int run = 0; run < kRuns; ++run) {
    std::vector<double> values(500);
    for (double& v : values) v = draw(random);
    const Estimate m = mean(values), r = root_mean_square(values);
    std::sort(values.begin(), values.end());
    const Estimate median = percentile(values, 0.5);
    within_mean += std::abs(m.value - 1) <= m.error;
    within_rms += std::abs(r.value - std::sqrt(2)) <= r.error;
    within_median += std::abs(median.value - std::log(2)) <= median.error;
  }
  for (const int within : {within_mean, within_median, within_rms}) {
    EXPECT_GT(within, 0.60 * kRuns);
    EXPECT_LT(within, 0.76 * kRuns);
  }
}

TEST(Statistics, Summary) {
  std::vector<Divergence> all;
  for (int i = 0; i < 100; ++i) {
    Divergence d;
    d.nll = 1 + 0.01 * i;
    d.base_nll = 1 + 0.009 * i;
    d.kl = 0.001 * i;
    d.same_top = i % 4 != 0;
    all.push_back(d);
  }
  const DivergenceSummary s = summarize(all);
  EXPECT_NEAR(s.kl.value, 0.0495, 1e-12);
  EXPECT_EQ(s.kl_max, 0.099);
  EXPECT_EQ(s.kl_min, 0);
  EXPECT_NEAR(s.same_top.value, 0.75, 1e-12);
  EXPECT_NEAR(s.same_top.error, std::sqrt(0.75 * 0.25 / 99), 1e-12);
  EXPECT_NEAR(s.perplexity_ratio.value, s.perplexity.value / s.base_perplexity.value, 1e-12);
  EXPECT_LT(s.perplexity_ratio.error, s.perplexity.error / s.base_perplexity.value);
  EXPECT_TRUE(std::is_sorted(s.kl_percentiles.begin(), s.kl_percentiles.end(),
                             [](const auto& a, const auto& b) { return a.value.value < b.value.value; }));
}

}  // namespace
}  // namespace assay
