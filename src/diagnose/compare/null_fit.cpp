#include "diagnose/compare/null_fit.h"

#include <algorithm>
#include <cmath>

namespace assay {
namespace {

/// The continued fraction of I_x(a, b), by the modified method of Lentz; x < (a + 1) / (a + b + 2).
double beta_fraction(double x, double a, double b) {
  constexpr double kTiny = 1e-300;
  const auto kept = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1, d = 1 / kept(1 - (a + b) * x / (a + 1)), h = d;
  for (int m = 1; m < 500; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / kept(1 + even * d);
    c = kept(1 + even / c);
    h *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / kept(1 + odd * d);
    c = kept(1 + odd / c);
    h *= d * c;
    if (std::abs(d * c - 1) < 1e-15) break;
  }
  return h;
}

/// I_x(a, b).
double regularized_beta(double x, double a, double b) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(x, a, b) / a;
  return 1 - front * beta_fraction(1 - x, b, a) / b;
}

double log_beta(double a, double b) {
  return std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b);
}

/// Least scale of a logarithm: f32 arithmetic on some hundred layers moves no logarithm by more.
constexpr double kLeastScale = 1e-3;

}  // namespace

double student_t_tail(double t, double degrees) {
  const double half = 0.5 * regularized_beta(degrees / (degrees + t * t), degrees / 2, 0.5);
  return t >= 0 ? half : 1 - half;
}

double beta_binomial_tail(uint64_t k, uint64_t n, double a, double b) {
  double sum = 0;
  for (uint64_t i = k; i <= n; ++i) {
    const double log_choose =
        std::lgamma(double(n) + 1) - std::lgamma(double(i) + 1) - std::lgamma(double(n - i) + 1);
    sum += std::exp(log_choose + log_beta(double(i) + a, double(n - i) + b) - log_beta(a, b));
  }
  return std::min(sum, 1.0);
}

LogNull LogNull::fit(std::span<const double> values, double bias) {
  const double n = double(values.size());
  double sum = 0, squares = 0;
  for (const double v : values) sum += std::log(v);
  for (const double v : values) squares += (std::log(v) - sum / n) * (std::log(v) - sum / n);
  const double spread = std::sqrt(squares / (n - 1));
  return {sum / n, std::max(std::hypot(spread * std::sqrt(1 + 1 / n), bias), kLeastScale), n - 1};
}

double LogNull::z(double x) const {
  return x > 0 ? (std::log(x) - center) / scale : -INFINITY;
}

double LogNull::tail(double x) const {
  return x > 0 ? student_t_tail(z(x), degrees) : 1;
}

double LogNull::limit(double p) const {
  double low = 0, high = 1;
  while (student_t_tail(high, degrees) > p) high *= 2;  // ends: the tail of 1e155 is 0
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (student_t_tail(middle, degrees) > p ? low : high) = middle;
  }
  return std::exp(center + scale * high);
}

}  // namespace assay
