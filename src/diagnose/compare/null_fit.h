// Where an observed value falls among values that noise alone gave: tails of the two distributions that this
// takes.
#pragma once
#include <cstdint>
#include <span>

namespace assay {

/// P(T >= t) of Student's t with `degrees` > 0 of freedom. Through the regularized incomplete beta function
/// (NIST DLMF 8.17), to about 1e-12 relative.
double student_t_tail(double t, double degrees);

/// P(K >= k) for K of n trials whose chance is Beta(a, b): the chance that as many positions change as k,
/// when the rate is known from other draws only. Sum of the beta-binomial distribution's terms.
double beta_binomial_tail(uint64_t k, uint64_t n, double a, double b);

/// The logarithms of a positive quantity in R draws of the null distribution, as a prediction of one draw
/// more: (log x - center) / scale is Student's t with R - 1 degrees of freedom, if the logarithms are normal;
/// scale = spread * sqrt(1 + 1 / R), with what is known to be missing from the draws added in quadrature.
struct LogNull {
  double center = 0, scale = 0, degrees = 1;
  /// At least two values, all above 0. `bias`: how far the logarithm of a healthy file's is known to be off
  /// the draws'.
  static LogNull fit(std::span<const double> values, double bias);
  /// Of x standing out above.
  double tail(double x) const;
  /// The value that noise exceeds with probability p, 0 < p < 1/2. Infinite where no double holds it: two
  /// degrees of freedom say so little that 1e-8 lies some 7000 scales out, and this is a logarithm.
  double limit(double p) const;
  double z(double x) const;
};

}  // namespace assay
