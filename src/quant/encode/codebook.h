// Super-blocks whose sub-blocks have an odd scale, 2k + 1, and codes from a grid: x[i] ~ unit * (2k + 1) *
// q[i].
#pragma once
#include "quant/encode/encoders.h"
#include "quant/encode/fit.h"

namespace assay {

/// What a codebook type tries, by effort.
struct CodebookSearch {
  std::span<const float> ends[3];  // levels for a sub-block's peak
  int n_refine[3] = {1, 1, 6};
  int n_rounds[3] = {1, 1, 4};
  int reach[3] = {0, 1, 2};  // scale codes tried on either side of the nearest
};

/// Encodes one super-block. Codec states a type:
///   Block, kUnit (unit = d * kUnit), kTopCode (largest k)
///   Sub                                    the codes of a sub-block
///   ScaleSums search(x, importance, scale, Sub&)  the sub-block's best codes for a scale, and their sums
///   void pack(d, scale codes, subs, Block&)
template <class Codec>
class CodebookEncoder {
 public:
  static constexpr size_t n = Codec::Block::facts.sub_elems, n_subs = 256 / n;

  CodebookEncoder(const float* x, const float* importance, const CodebookSearch& search, Effort effort)
      : x_(x), importance_(importance), search_(search), effort_(size_t(effort)) {}

  void encode(std::byte* out) {
    for (size_t s = 0; s < n_subs; ++s) fits_[s] = fit_sub_block(s);
    Choice best, trial;
    float best_error = 0;  // less sum w x^2: below zero is better than a block of zeros
    trial.d = choose_d();
    for (int round = 0; round < search_.n_rounds[effort_] && trial.d != 0; ++round) {
      const float error = choose_codes(trial);
      if (!(error < best_error)) break;
      best_error = error;
      best = trial;
      trial.d = refitted_d(trial);
    }
    if (best.d != 0) {  // the last refit is good for the last codes too
      const float d = refitted_d(best);
      if (d != 0 && error_of(best, d) < error_of(best, best.d)) best.d = d;
    }
    typename Codec::Block block;
    Codec::pack(best.d, best.code, best.subs, block);
    store_block(block, out);
  }

 private:
  struct Choice {
    float d = 0;
    uint8_t code[n_subs] = {};
    typename Codec::Sub subs[n_subs] = {};
    ScaleSums sums[n_subs];
  };

  ScaleSums search(size_t s, float scale, typename Codec::Sub& sub) const {
    return Codec::search(x_ + n * s, importance_ + n * s, scale, sub);
  }

  ScaleFit fit_sub_block(size_t s) const {
    typename Codec::Sub sub;
    const float peak = std::abs(peak_of(x_ + n * s, n));
    if (peak < 0x1p-60f) return {0, search(s, 1, sub)};
    ScaleFit best;
    for (const float end : search_.ends[effort_]) {
      const ScaleSums sums = search(s, peak / end, sub);
      if (sums.gain() > best.sums.gain() || best.sums.qq == 0) best = {sums.best_scale(), sums};
    }
    for (int k = 0; k < search_.n_refine[effort_] && best.scale > 0; ++k) {
      const ScaleSums sums = search(s, best.scale, sub);
      if (!(sums.gain() > best.sums.gain())) break;
      best = {sums.best_scale(), sums};
    }
    best.scale = std::max(best.scale, 0.0f);
    return best;
  }

  static float nearest_code(float scale, float inverse_unit) {
    return round_small(std::clamp((scale * inverse_unit - 1) / 2, 0.0f, float(Codec::kTopCode)));
  }

  /// d for the sub-blocks' scales: the largest is put at each of a range of multipliers; the cost of rounding
  /// the others is known to second order, qq * (change of scale)^2.
  float choose_d() const {
    float largest = 0;
    for (const ScaleFit& fit : fits_) largest = std::max(largest, fit.scale);
    if (largest == 0) return 0;
    constexpr float kTop = 2 * Codec::kTopCode + 1;
    float best_d = 0, best_cost = 0;
    for (float end = 1.1f * kTop; end >= 0.45f * kTop; end -= 0.02f * kTop) {
      const float d = half_scale(largest / (end * Codec::kUnit)), unit = d * Codec::kUnit, inverse = 1 / unit;
      float cost = 0;
      for (const ScaleFit& fit : fits_) {
        const float change = unit * (2 * nearest_code(fit.scale, inverse) + 1) - fit.scale;
        cost += fit.sums.qq * change * change;
      }
      if (best_d == 0 || cost < best_cost) {
        best_d = d;
        best_cost = cost;
      }
    }
    return best_d;
  }

  /// The scale codes and grid codes of every sub-block for trial.d; returns the error less sum w x^2.
  float choose_codes(Choice& trial) {
    const float unit = trial.d * Codec::kUnit;
    float error = 0;
    for (size_t s = 0; s < n_subs; ++s) {
      const int nearest = int(nearest_code(fits_[s].scale, 1 / unit));
      const int first = std::max(nearest - search_.reach[effort_], 0);
      const int last = std::min(nearest + search_.reach[effort_], Codec::kTopCode);
      float least = std::numeric_limits<float>::infinity();
      for (int code = first; code <= last; ++code) {
        typename Codec::Sub sub;
        const float scale = unit * float(2 * code + 1);
        const ScaleSums sums = search(s, scale, sub);
        if (!(sums.error(scale) < least)) continue;
        least = sums.error(scale);
        trial.code[s] = uint8_t(code);
        trial.subs[s] = sub;
        trial.sums[s] = sums;
      }
      error += least;
      fits_[s] = {std::max(trial.sums[s].best_scale(), 0.0f), trial.sums[s]};
    }
    return error;
  }

  static float refitted_d(const Choice& choice) {
    float xq = 0, qq = 0;
    for (size_t s = 0; s < n_subs; ++s) {
      const float multiplier = Codec::kUnit * float(2 * choice.code[s] + 1);
      xq += multiplier * choice.sums[s].xq;
      qq += multiplier * multiplier * choice.sums[s].qq;
    }
    return half_scale(qq > 0 ? xq / qq : 0);
  }

  static float error_of(const Choice& choice, float d) {
    float error = 0;
    for (size_t s = 0; s < n_subs; ++s)
      error += choice.sums[s].error(d * Codec::kUnit * float(2 * choice.code[s] + 1));
    return error;
  }

  const float* x_;
  const float* importance_;
  const CodebookSearch& search_;
  size_t effort_;
  ScaleFit fits_[n_subs];
};

}  // namespace assay
