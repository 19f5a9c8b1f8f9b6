#include "diagnose/compare/null_fit.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace assay {
namespace {

// One-sided quantiles from printed tables of Student's t.
TEST(StudentT, HasTheTailsOfPrintedTables) {
  struct Row {
    double degrees, t, p;
  };
  for (const Row& row :
       {Row{1, 1, 0.25}, Row{1, 12.7062, 0.025}, Row{2, 2.9200, 0.05}, Row{10, 2.2281, 0.025},
        Row{11, 4.0247, 0.001}, Row{30, 2.7500, 0.005}, Row{120, 1.6577, 0.05}})
    EXPECT_NEAR(student_t_tail(row.t, row.degrees) / row.p, 1, 3e-4) << row.degrees << " " << row.t;
  EXPECT_DOUBLE_EQ(student_t_tail(0, 7), 0.5);
  EXPECT_NEAR(student_t_tail(-2.2281, 10), 0.975, 1e-4);
}

// With two degrees of freedom the tail is closed: (1 - t / sqrt(2 + t^2)) / 2.
TEST(StudentT, IsRightFarOut) {
  for (const double t : {0.1, 1.0, 5.0, 50.0, 1e4}) {
    const double s = std::sqrt(2 + t * t);
    EXPECT_NEAR(student_t_tail(t, 2) / (1 / (s * (s + t))), 1, 1e-9) << t;
  }
}

TEST(BetaBinomial, IsUniformForAFlatPriorAndBinomialForASharpOne) {
  for (uint64_t k = 0; k <= 20; ++k)
    EXPECT_NEAR(beta_binomial_tail(k, 20, 1, 1), double(21 - k) / 21, 1e-12) << k;
  // P(K >= 2) of Binomial(3, 1/2) is 1/2.
  EXPECT_NEAR(beta_binomial_tail(2, 3, 1e7, 1e7), 0.5, 1e-6);
  // All chances together. The terms are of logarithms up to lgamma(105) = 382, which carry roundings of
  // 382 * 2^-52 = 8e-14 each.
  EXPECT_NEAR(beta_binomial_tail(0, 5, 0.5, 100), 1, 1e-12);
  EXPECT_DOUBLE_EQ(beta_binomial_tail(6, 5, 0.5, 100), 0);
}

TEST(LogNull, PredictsOneDrawMore) {
  const std::array values{1.0, std::exp(1.0), std::exp(2.0)};
  const LogNull fit = LogNull::fit(values, 0);
  EXPECT_NEAR(fit.center, 1, 1e-12);
  EXPECT_NEAR(fit.scale, std::sqrt(4.0 / 3), 1e-12);
  EXPECT_EQ(fit.degrees, 2);
  for (const double p : {0.4, 0.05, 1e-4}) EXPECT_NEAR(fit.tail(fit.limit(p)) / p, 1, 1e-6) << p;
  EXPECT_NEAR(LogNull::fit(values, 2).scale, std::sqrt(4.0 / 3 + 4), 1e-12);
  EXPECT_EQ(fit.tail(0), 1);
}

// One degree of freedom is Cauchy's distribution, whose quantile is cot(pi p).
TEST(LogNull, LimitsFarOutAreThoseOfTheTailUntilNoDoubleHoldsThem) {
  for (const double degrees : {1.0, 2.0, 11.0})
    for (const double p : {1e-6, 1e-8, 1e-10}) {
      const LogNull narrow{.center = 1, .scale = 1e-9, .degrees = degrees};
      EXPECT_NEAR(narrow.tail(narrow.limit(p)) / p, 1, 1e-5) << degrees << " " << p;
      if (degrees == 1) {
        EXPECT_NEAR((std::log(narrow.limit(p)) - 1) / narrow.scale * std::tan(M_PI * p), 1, 1e-5) << p;
      }
    }
  const LogNull wide{.center = 1, .scale = 1, .degrees = 2};
  EXPECT_EQ(wide.limit(1e-8), INFINITY);  // exp(1 + 7071)
  EXPECT_EQ(wide.tail(INFINITY), 0);
}

}  // namespace
}  // namespace assay
