// Fitting one run of values that share a scale: x[i] ~ s * q[i], q from a fixed set of levels, and x[i] ~ s *
// q[i] - m. Both alternate two exact steps, codes for given factors (round) and factors for given codes
// (weighted least squares), from several starting points. n is always a multiple of kLanes.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "base/half.h"
#include "quant/codebooks.h"
#include "quant/encode/lanes.h"

namespace assay {

/// The integers low..high as levels.
template <int low, int high>
struct IntegerLevels {
  static Lanes nearest(Lanes v) noexcept { return round_lanes(clamp_lanes(v, low, high)); }
};

/// kIq4nlValues as levels: the first one, plus a step for every midpoint below v.
struct Iq4nlLevels {
  static Lanes nearest(Lanes v) noexcept {
    Lanes level = all_lanes(kIq4nlValues[0]);
    for (size_t k = 0; k + 1 < 16; ++k) {
      const float a = kIq4nlValues[k], b = kIq4nlValues[k + 1];
      level += v > all_lanes((a + b) / 2) ? all_lanes(b - a) : all_lanes(0);
    }
    return level;
  }
};

/// Sums that give the error of x ~ s * q for any s while the codes stay.
struct ScaleSums {
  float xq = 0, qq = 0;
  float best_scale() const noexcept { return qq > 0 ? xq / qq : 0; }
  float gain() const noexcept {
    return qq > 0 ? xq * (xq / qq) : 0;
  }  // sum w x^2 less the error at best_scale()
  float error(float s) const noexcept { return s * (s * qq - 2 * xq); }  // less sum w x^2
};

/// The sums with every code nearest to x / s; `inverse` is 1 / s.
template <class Levels>
ScaleSums measure_scale(const float* x, const float* importance, size_t n, float inverse) noexcept {
  Lanes xq = all_lanes(0), qq = all_lanes(0);
  const Lanes factor = all_lanes(inverse);
  for (size_t i = 0; i < n; i += kLanes) {
    const Lanes v = load_lanes(x + i);
    const Lanes q = Levels::nearest(v * factor);
    const Lanes wq = load_lanes(importance + i) * q;
    xq += wq * v;
    qq += wq * q;
  }
  return {sum_lanes(xq), sum_lanes(qq)};
}

/// The same for four scales at once, one a lane.
struct ScaleSums4 {
  Lanes xq, qq;
  Lanes error(Lanes s) const noexcept { return s * (s * qq - (xq + xq)); }
  Lanes gain() const noexcept { return xq * (xq / max_lanes(qq, all_lanes(0x1p-100f))); }
  ScaleSums operator[](size_t lane) const noexcept { return {xq[lane], qq[lane]}; }
};

template <class Levels>
ScaleSums4 measure_scales(const float* x, const float* importance, size_t n, Lanes inverse) noexcept {
  ScaleSums4 sums{all_lanes(0), all_lanes(0)};
  for (size_t i = 0; i < n; ++i) {
    const Lanes v = all_lanes(x[i]);
    const Lanes q = Levels::nearest(v * inverse);
    const Lanes wq = all_lanes(importance[i]) * q;
    sums.xq += wq * v;
    sums.qq += wq * q;
  }
  return sums;
}

/// The value of largest magnitude, with its sign.
inline float peak_of(const float* x, size_t n) noexcept {
  Lanes low = all_lanes(0), high = low;
  for (size_t i = 0; i < n; i += kLanes) {
    low = min_lanes(low, load_lanes(x + i));
    high = max_lanes(high, load_lanes(x + i));
  }
  return -lowest_lane(low) > highest_lane(high) ? lowest_lane(low) : highest_lane(high);
}

struct ScaleFit {
  float scale = 0;
  ScaleSums sums;
};

/// A scale of least error: starts with the peak at each of `ends` (levels, fractions allowed, either sign; a
/// multiple of four of them), keeps the best and alternates `n_refine` times.
template <class Levels>
ScaleFit fit_scale(const float* x, const float* importance, size_t n, std::span<const float> ends,
                   int n_refine) noexcept {
  const float peak = peak_of(x, n);
  if (std::abs(peak) < 0x1p-60f) return {};
  const Lanes inverse_peak = all_lanes(1 / peak);
  Lanes most = all_lanes(-1), xq = most, qq = most;
  for (size_t k = 0; k < ends.size(); k += kLanes) {
    const auto sums = measure_scales<Levels>(x, importance, n, load_lanes(&ends[k]) * inverse_peak);
    const Lanes gain = sums.gain();
    const auto better = gain > most;
    most = better ? gain : most;
    xq = better ? sums.xq : xq;
    qq = better ? sums.qq : qq;
  }
  const size_t lane = highest_lane_index(most);
  ScaleSums sums{xq[lane], qq[lane]};
  for (int k = 0; k < n_refine; ++k) {
    const float scale = sums.best_scale();
    sums = measure_scale<Levels>(x, importance, n, scale != 0 ? 1 / scale : 0);
  }
  return {sums.best_scale(), sums};
}

/// Stores the codes nearest to x / s (s = 0: the level nearest to 0) and returns sum w (x - s q)^2.
template <class Levels>
float assign_codes(const float* x, const float* importance, size_t n, float s, int8_t* q) noexcept {
  Lanes error = all_lanes(0);
  const Lanes inverse = all_lanes(s != 0 ? 1 / s : 0), scale = all_lanes(s);
  for (size_t i = 0; i < n; i += kLanes) {
    const Lanes v = load_lanes(x + i);
    const Lanes level = Levels::nearest(v * inverse);
    const Lanes rest = v - scale * level;
    error += load_lanes(importance + i) * rest * rest;
    store_codes(q + i, level);
  }
  return sum_lanes(error);
}

/// The binary16 nearest to `value`: finite, and zero only for zero, since a scale of zero loses the whole
/// block.
inline float half_scale(float value) noexcept {
  const float rounded = half_to_float(float_to_half(std::clamp(value, -65504.0f, 65504.0f)));
  return rounded == 0 && value != 0 ? std::copysign(0x1p-24f, value) : rounded;
}

/// Sums that give the error of x ~ s * q - m for any s and m while the codes stay.
struct AffineSums {
  float q = 0, qq = 0, xq = 0;
};
struct RunSums {  // of the run itself
  float w = 0, x = 0;
};

inline float affine_error(const AffineSums& a, const RunSums& r, float s,
                          float m) noexcept {  // less sum w x^2
  return s * (s * a.qq - 2 * (a.xq + m * a.q)) + m * (m * r.w + 2 * r.x);
}

/// The sums with every code nearest to (x + m) / s among 0..top; `inverse` is 1 / s.
template <int top>
AffineSums measure_affine(const float* x, const float* importance, size_t n, float inverse,
                          float m) noexcept {
  Lanes sum_q = all_lanes(0), sum_qq = all_lanes(0), sum_xq = all_lanes(0);
  const Lanes factor = all_lanes(inverse), shift = all_lanes(m);
  for (size_t i = 0; i < n; i += kLanes) {
    const Lanes v = load_lanes(x + i);
    const Lanes q = IntegerLevels<0, top>::nearest((v + shift) * factor);
    const Lanes wq = load_lanes(importance + i) * q;
    sum_q += wq;
    sum_qq += wq * q;
    sum_xq += wq * v;
  }
  return {sum_lanes(sum_q), sum_lanes(sum_qq), sum_lanes(sum_xq)};
}

/// The same for four pairs of scale and min at once, one a lane.
struct AffineSums4 {
  Lanes q, qq, xq;
  AffineSums operator[](size_t lane) const noexcept { return {q[lane], qq[lane], xq[lane]}; }
};

template <int top>
AffineSums4 measure_affines(const float* x, const float* importance, size_t n, Lanes inverse,
                            Lanes m) noexcept {
  AffineSums4 sums{all_lanes(0), all_lanes(0), all_lanes(0)};
  for (size_t i = 0; i < n; ++i) {
    const Lanes v = all_lanes(x[i]);
    const Lanes q = IntegerLevels<0, top>::nearest((v + m) * inverse);
    const Lanes wq = all_lanes(importance[i]) * q;
    sums.q += wq;
    sums.qq += wq * q;
    sums.xq += wq * v;
  }
  return sums;
}

struct AffineFit {
  float scale = 0, min = 0;
  AffineSums sums;
  RunSums run;
  float error = 0;  // less sum w x^2
};

/// Which signs m may have: a type whose mins are unsigned has all of one sign in a super-block.
enum class MinSign { any, not_negative, not_positive };

inline float allowed_min(float m, MinSign sign) noexcept {
  if (sign == MinSign::not_negative) return std::max(m, 0.0f);
  if (sign == MinSign::not_positive) return std::min(m, 0.0f);
  return m;
}

/// Least squares for given codes, scale and min together; with the min at its bound when it may not pass it.
inline AffineFit solve_affine(const AffineSums& a, const RunSums& r, MinSign sign) noexcept {
  const float det = a.qq * r.w - a.q * a.q;
  float m = 0;
  if (det > 1e-6f * a.qq * r.w) m = allowed_min((a.xq * a.q - r.x * a.qq) / det, sign);
  const float s = a.qq > 0 ? std::max((a.xq + m * a.q) / a.qq, 0.0f) : 0;
  return {s, m, a, r, affine_error(a, r, s, m)};
}

/// Where a search for scale and min starts: the run's range is spread over top + stretch codes, its lowest
/// value at code `first`. Every pair of a stretch (a multiple of four of them) and a first is a start.
struct AffineStarts {
  std::span<const float> stretches, firsts;
};

/// Scale (not negative) and min of least error: keeps the best of `starts` and alternates `n_refine` times.
template <int top>
AffineFit fit_affine(const float* x, const float* importance, size_t n, MinSign sign,
                     const AffineStarts& starts, int n_refine) noexcept {
  Lanes w_sum = all_lanes(0), x_sum = all_lanes(0), low = load_lanes(x), high = low;
  for (size_t i = 0; i < n; i += kLanes) {
    const Lanes v = load_lanes(x + i), w = load_lanes(importance + i);
    w_sum += w;
    x_sum += w * v;
    low = min_lanes(low, v);
    high = max_lanes(high, v);
  }
  const RunSums run{sum_lanes(w_sum), sum_lanes(x_sum)};
  const float first_min = allowed_min(-lowest_lane(low), sign);
  AffineFit flat;
  flat.run = run;
  if (run.w > 0) flat.min = allowed_min(-run.x / run.w, sign);
  flat.error = affine_error({}, run, 0, flat.min);
  const float range = highest_lane(high) + first_min;
  if (!(range > 0x1p-60f)) return flat;
  AffineFit best = flat;
  for (const float first : starts.firsts)
    for (size_t k = 0; k < starts.stretches.size(); k += kLanes) {
      const Lanes step = all_lanes(range) / (load_lanes(&starts.stretches[k]) + all_lanes(top));
      const Lanes m = all_lanes(first_min) + all_lanes(first) * step;
      const auto sums = measure_affines<top>(x, importance, n, all_lanes(1) / step, m);
      for (size_t lane = 0; lane < kLanes; ++lane) {
        const AffineFit fit = solve_affine(sums[lane], run, sign);
        best = fit.error < best.error ? fit : best;
      }
    }
  for (int k = 0; k < n_refine && best.scale > 0; ++k)
    best = solve_affine(measure_affine<top>(x, importance, n, 1 / best.scale, best.min), run, sign);
  return best.error < flat.error ? best : flat;
}

/// Stores the codes nearest to (x + m) / s and returns sum w (x - (s q - m))^2.
template <int top>
float assign_affine_codes(const float* x, const float* importance, size_t n, float s, float m,
                          int8_t* q) noexcept {
  Lanes error = all_lanes(0);
  const Lanes inverse = all_lanes(s != 0 ? 1 / s : 0), scale = all_lanes(s), shift = all_lanes(m);
  for (size_t i = 0; i < n; i += kLanes) {
    const Lanes v = load_lanes(x + i) + shift;
    const Lanes level = IntegerLevels<0, top>::nearest(v * inverse);
    const Lanes rest = v - scale * level;
    error += load_lanes(importance + i) * rest * rest;
    store_codes(q + i, level);
  }
  return sum_lanes(error);
}

}  // namespace assay
