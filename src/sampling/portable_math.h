// exp and log from exactly rounded operations only, so that a seed gives the same text on every C library and
// CPU.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace assay {

/// e^x for x <= 700 (also -infinity), relative error below 4e-16; results under e^-708 are 0.
inline double portable_exp(double x) noexcept {
  if (x < -708.0) return 0.0;
  // x = k ln 2 + r, |r| <= ln 2 / 2. The high part of ln 2 has 21 trailing zero bits: k times it is exact.
  constexpr double kLog2E = 0x1.71547652b82fep+0, kLn2High = 0x1.62e42fefp-1, kLn2Low = 0x1.473de6af278edp-34;
  const double k = std::floor(x * kLog2E + 0.5);
  const double r = (x - k * kLn2High) - k * kLn2Low;
  double sum = 1.0;  // Taylor series in Horner's form; the first term left out is below 5e-18
  for (int n = 13; n > 0; --n) sum = 1.0 + sum * r / n;
  return sum * std::bit_cast<double>(uint64_t(int64_t(k) + 1023) << 52);
}

/// Natural logarithm of x >= 0, absolute error below 1e-15 times max(1, |log x|); log 0 is -infinity.
inline double portable_log(double x) noexcept {
  constexpr double kLn2 = 0x1.62e42fefa39efp-1, kSqrt2 = 0x1.6a09e667f3bcdp+0;
  if (x == 0.0) return -std::numeric_limits<double>::infinity();
  int k = 0;
  if (x < std::numeric_limits<double>::min()) {
    x *= 0x1p54;
    k = -54;
  }
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  k += int(bits >> 52) - 1023;
  double mantissa = std::bit_cast<double>((bits & 0x000fffffffffffffu) | 0x3ff0000000000000u);  // [1, 2)
  if (mantissa > kSqrt2) {
    mantissa *= 0.5;
    ++k;
  }
  // log m = 2 atanh(s), s = (m - 1) / (m + 1), |s| <= 0.1716
  const double s = (mantissa - 1.0) / (mantissa + 1.0), s2 = s * s;
  double series = 0.0;
  for (int n = 23; n > 0; n -= 2) series = series * s2 + 1.0 / n;
  return k * kLn2 + 2.0 * s * series;
}

}  // namespace assay
