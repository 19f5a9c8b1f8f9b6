// Super-blocks of sub-blocks with a scale and a min: x[i] ~ d * scale[s] * q[i] - dmin * min[s], scale and
// min unsigned.
#include <limits>

#include "quant/encode/encoders.h"
#include "quant/encode/fit.h"
#include "quant/q2_k.h"
#include "quant/q4_k.h"
#include "quant/q5_k.h"

namespace assay {
namespace {

constexpr Lanes kNear[] = {{-1, 0, 1, 2}};
constexpr Lanes kWide[] = {{-1, 0, 1, 2}, {-3, -2, 3, 4}};

/// What the search of a type tries, by effort.
struct Search {
  AffineStarts starts[3];  // of a sub-block
  std::span<const float>
      factor_ends[3];  // codes, as a share of the last, for the largest scale and the largest min
  int n_refine[3] = {1, 2, 8};
  int n_rounds[3] = {1, 2, 6};
  std::span<const Lanes> offsets[3] = {kNear, kNear, kWide};  // scale codes tried, less the nearest
};

float rounded_code(float v, int top) {
  return round_small(std::clamp(v, 0.0f, float(top)));
}

/// The factor (d or dmin) that, with codes 0..top, comes closest to `values`, each missed at a cost of
/// curvature * distance^2. All values have one sign, or are zero.
template <size_t n_subs>
float choose_factor(const float* values, const float* curvatures, std::span<const float> ends, int top) {
  float largest = 0;
  for (size_t s = 0; s < n_subs; ++s)
    if (std::abs(values[s]) > std::abs(largest)) largest = values[s];
  if (largest == 0) return 0;
  float best = 0, best_cost = 0;
  for (const float end : ends) {
    const float factor = half_scale(largest / (end * float(top))), inverse = 1 / factor;
    float cost = 0;
    for (size_t s = 0; s < n_subs; ++s) {
      const float change = factor * rounded_code(values[s] * inverse, top) - values[s];
      cost += curvatures[s] * change * change;
    }
    if (best == 0 || cost < best_cost) {
      best = factor;
      best_cost = cost;
    }
  }
  return best;
}

/// The min of least error for a scale, while the codes stay.
float min_for_scale(const AffineFit& fit, float scale) {
  return fit.run.w > 0 ? (scale * fit.sums.q - fit.run.x) / fit.run.w : 0;
}

template <class Block, int top, int top_code>
struct AffineEncoder {
  static constexpr size_t n = Block::facts.sub_elems, n_subs = 256 / n;
  const float* x;
  const float* importance;
  const Search& search;
  const size_t effort;

  /// d and dmin for these fits: d by the cost of a scale when its min follows it, then dmin for the scales so
  /// rounded.
  void choose_factors(const AffineFit* fits, IntegerBlock& block) const {
    float values[n_subs], curvatures[n_subs];
    for (size_t s = 0; s < n_subs; ++s) {
      const AffineSums& sums = fits[s].sums;
      values[s] = fits[s].scale;
      curvatures[s] =
          fits[s].min != 0 && fits[s].run.w > 0 ? sums.qq - sums.q * sums.q / fits[s].run.w : sums.qq;
    }
    block.d = choose_factor<n_subs>(values, curvatures, search.factor_ends[effort], top_code);
    for (size_t s = 0; s < n_subs; ++s) {
      const float scale = block.d != 0 ? block.d * rounded_code(values[s] / block.d, top_code) : 0;
      const float min = min_for_scale(fits[s], scale);
      values[s] = fits[s].min * min > 0 ? min : 0;
      curvatures[s] = fits[s].run.w;
    }
    block.dmin = choose_factor<n_subs>(values, curvatures, search.factor_ends[effort], top_code);
  }

  /// The codes of sub-block s for block.d and block.dmin: scales near the fit's, for each the min that suits
  /// it. Leaves in `fit` what the codes chosen give; returns the error less sum w x^2.
  float choose_codes(size_t s, AffineFit& fit, IntegerBlock& block) const {
    const float nearest = block.d != 0 ? rounded_code(fit.scale / block.d, top_code) : 0;
    const Lanes inverse_dmin = all_lanes(block.dmin != 0 ? 1 / block.dmin : 0);
    const Lanes w = all_lanes(fit.run.w), run_x = all_lanes(fit.run.x);
    const Lanes inverse_w = all_lanes(fit.run.w > 0 ? 1 / fit.run.w : 0);
    auto min_code = [&](Lanes scale, Lanes q) {  // the min of least error, in codes, while the codes stay
      return round_lanes(clamp_lanes((scale * q - run_x) * inverse_w * inverse_dmin, 0, top_code));
    };
    const Lanes q_before = all_lanes(fit.sums.q);
    float least = std::numeric_limits<float>::infinity();
    for (const Lanes& offsets : search.offsets[effort]) {
      const Lanes code = clamp_lanes(all_lanes(nearest) + offsets, 0, top_code);
      const Lanes scale = code * all_lanes(block.d);
      // A scale of zero needs no codes: all are the nearest to zero.
      const Lanes inverse = scale != all_lanes(0) ? all_lanes(1) / scale : all_lanes(0);
      Lanes min = min_code(scale, q_before);
      const auto sums =
          measure_affines<top>(x + n * s, importance + n * s, n, inverse, min * all_lanes(block.dmin));
      min = min_code(scale, sums.q);
      const Lanes m = min * all_lanes(block.dmin), xq = sums.xq + m * sums.q;
      const Lanes errors = scale * (scale * sums.qq - (xq + xq)) + m * (m * w + (run_x + run_x));
      const size_t lane = lowest_lane_index(errors);
      if (!(errors[lane] < least)) continue;
      least = errors[lane];
      fit = {scale[lane], m[lane], sums[lane], fit.run, errors[lane]};
      block.scale[s] = int16_t(code[lane]);
      block.min[s] = int16_t(min[lane]);
    }
    return least;
  }

  /// d and dmin of least squares for the codes chosen.
  void refit_factors(const AffineFit* fits, IntegerBlock& block) const {
    float aa = 0, ab = 0, bb = 0, xa = 0, xb = 0;  // x ~ d * a - dmin * b
    for (size_t s = 0; s < n_subs; ++s) {
      const float scale = block.scale[s], min = block.min[s];
      aa += scale * scale * fits[s].sums.qq;
      ab += scale * min * fits[s].sums.q;
      bb += min * min * fits[s].run.w;
      xa += scale * fits[s].sums.xq;
      xb += min * fits[s].run.x;
    }
    const float det = aa * bb - ab * ab;
    if (det > 1e-6f * aa * bb) {
      block.d = half_scale((xa * bb - xb * ab) / det);
      block.dmin = half_scale((xa * ab - xb * aa) / det);
    } else if (aa > 0) {
      block.d = half_scale(xa / aa);
    }
  }

  float encode(MinSign sign, IntegerBlock& best) const {
    AffineFit fits[n_subs];
    for (size_t s = 0; s < n_subs; ++s)
      fits[s] = fit_affine<top>(x + n * s, importance + n * s, n, sign, search.starts[effort],
                                search.n_refine[effort]);
    IntegerBlock trial;
    choose_factors(fits, trial);
    best = {};
    float best_error = 0;  // less sum w x^2: below zero is better than a block of zeros
    for (int round = 0; round < search.n_rounds[effort]; ++round) {
      float error = 0;
      for (size_t s = 0; s < n_subs; ++s) error += choose_codes(s, fits[s], trial);
      if (!(error < best_error)) break;
      best_error = error;
      best = trial;
      refit_factors(fits, trial);
    }
    return best_error;
  }

  void store(IntegerBlock& best, std::byte* out) const {
    for (size_t s = 0; s < n_subs; ++s)
      assign_affine_codes<top>(x + n * s, importance + n * s, n, best.d * float(best.scale[s]),
                               best.dmin * float(best.min[s]), best.q + n * s);
    Block block;
    block.pack(best);
    store_block(block, out);
  }
};

template <class Block, int top, int top_code>
void encode_block(const float* x, const float* importance, const Search& search, Effort effort,
                  std::byte* out) {
  // A closer fit of each sub-block can leave a worse choice of d: the longest search keeps the shorter ones'
  // results.
  const Effort first = effort == Effort::max ? Effort::fast : effort;
  // Values above zero can be met by a negative dmin alone.
  const bool mostly_positive = std::count_if(x, x + 256, [](float v) { return v > 0; }) > 224;
  IntegerBlock best, trial;
  float best_error = std::numeric_limits<float>::infinity();
  for (auto level = size_t(first); level <= size_t(effort); ++level)
    for (const MinSign sign : {MinSign::not_negative, MinSign::not_positive}) {
      if (sign == MinSign::not_positive && !mostly_positive && effort != Effort::max) continue;
      const AffineEncoder<Block, top, top_code> encoder{x, importance, search, level};
      const float error = encoder.encode(sign, trial);
      if (!(error < best_error)) continue;
      best_error = error;
      best = trial;
    }
  AffineEncoder<Block, top, top_code>{x, importance, search, size_t(effort)}.store(best, out);
}

constexpr auto kFastStretches = evenly<4>(-0.75f, 0.75f);
constexpr auto kFastFirsts = evenly<1>(0, 0);
constexpr auto kStretches = evenly<4>(-0.75f, 0.75f);
constexpr auto kFirsts = evenly<3>(-0.33f, 0.33f);
constexpr auto kQ2Stretches = evenly<4>(-0.5f, 2);
constexpr auto kQ2Firsts = evenly<4>(-0.75f, 0.25f);
constexpr auto kMaxStretches = evenly<12>(-1, 2);
constexpr auto kMaxFirsts = evenly<7>(-0.5f, 0.5f);
constexpr AffineStarts kFast{kFastStretches, kFastFirsts}, kNormal{kStretches, kFirsts};
constexpr AffineStarts kQ2Normal{kQ2Stretches, kQ2Firsts}, kMax{kMaxStretches, kMaxFirsts};
constexpr auto kSixBitFast = evenly<1>(1, 1);
constexpr auto kSixBit = evenly<5>(1, 0.97f);
constexpr auto kSixBitMax = evenly<33>(1.03f, 0.85f);
constexpr auto kFourBitFast = evenly<3>(1, 0.9f);
constexpr auto kFourBit = evenly<16>(1.1f, 0.8f);
constexpr auto kFourBitMax = evenly<65>(1.2f, 0.6f);
constexpr Search kSearchQ2_K{{kFast, kQ2Normal, kMax}, {kFourBitFast, kFourBit, kFourBitMax}};
constexpr Search kSearchQ4_K{{kFast, kNormal, kMax}, {kSixBitFast, kSixBit, kSixBitMax}};

template <class Block, int top, int top_code, const Search& search>
constexpr Encoder encoder() {
  return {Block::facts.id, [](const float* x, const float* importance, Effort effort, std::byte* out) {
            encode_block<Block, top, top_code>(x, importance, search, effort, out);
          }};
}

constexpr std::array kEncoders{
    encoder<BlockQ2_K, 3, 15, kSearchQ2_K>(),
    encoder<BlockQ4_K, 15, 63, kSearchQ4_K>(),
    encoder<BlockQ5_K, 31, 63, kSearchQ4_K>(),
};

}  // namespace

std::span<const Encoder> k_affine_encoders() noexcept {
  return kEncoders;
}

}  // namespace assay
