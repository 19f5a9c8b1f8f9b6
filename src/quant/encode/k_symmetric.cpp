// Super-blocks of sub-blocks with a signed scale and no mins: x[i] ~ d * scale[s] * q[i].
#include "quant/encode/encoders.h"
#include "quant/encode/fit.h"
#include "quant/iq4_xs.h"
#include "quant/q3_k.h"
#include "quant/q6_k.h"

namespace assay {
namespace {

constexpr Lanes kNear[] = {{-1, 0, 1, 2}};
constexpr Lanes kWide[] = {{-1, 0, 1, 2}, {-3, -2, 3, 4}};

/// What the search of a type tries, by effort.
struct Search {
  std::span<const float> ends[3];        // levels for a sub-block's peak
  std::span<const float> scale_ends[3];  // scale codes for the super-block's largest scale
  int n_refine[3] = {1, 0, 6};
  int n_rounds[3] = {1, 1, 6};
  // A closer fit of each sub-block can leave a worse choice of d: the searches from here to the effort all
  // run.
  size_t first_level[3] = {0, 1, 0};
  std::span<const Lanes> offsets[3] = {kNear, kNear, kWide};  // scale codes tried, less the nearest
};

/// d for these sub-block scales: each end puts the largest scale at one code; the cost of rounding the others
/// is known to second order, qq * (change of scale)^2.
template <size_t n_subs>
float choose_d(const ScaleFit* fits, std::span<const float> ends, float low, float high) {
  float largest = 0;
  for (size_t s = 0; s < n_subs; ++s)
    if (std::abs(fits[s].scale) > std::abs(largest)) largest = fits[s].scale;
  if (largest == 0) return 0;
  float best_d = 0, best_cost = 0;
  for (const float end : ends) {
    const float d = half_scale(largest / end), inverse = 1 / d;
    float cost = 0;
    for (size_t s = 0; s < n_subs; ++s) {
      const float code = round_small(std::clamp(fits[s].scale * inverse, low, high));
      const float change = d * code - fits[s].scale;
      cost += fits[s].sums.qq * change * change;
    }
    if (best_d == 0 || cost < best_cost) {
      best_d = d;
      best_cost = cost;
    }
  }
  return best_d;
}

/// d of least squares for codes and scales that stay.
template <size_t n_subs>
float refitted_d(const ScaleSums (&sums)[n_subs], const int16_t* scale) {
  float xq = 0, qq = 0;
  for (size_t s = 0; s < n_subs; ++s) {
    xq += float(scale[s]) * sums[s].xq;
    qq += float(scale[s]) * float(scale[s]) * sums[s].qq;
  }
  return half_scale(qq > 0 ? xq / qq : 0);
}

template <size_t n_subs>
float error_of(const ScaleSums (&sums)[n_subs], const int16_t* scale, float d) {
  float error = 0;
  for (size_t s = 0; s < n_subs; ++s) error += sums[s].error(d * float(scale[s]));
  return error;
}

/// Searches d, the scales and, as far as the error goes, the codes; `best` gets d and the scales. Returns the
/// error less sum w x^2: below zero is better than a block of zeros.
template <size_t n, class Levels, int low, int high>
float search_scales(const float* x, const float* importance, const Search& search, size_t effort,
                    IntegerBlock& best) {
  constexpr size_t n_subs = 256 / n;
  ScaleFit fits[n_subs];
  for (size_t s = 0; s < n_subs; ++s)
    fits[s] =
        fit_scale<Levels>(x + n * s, importance + n * s, n, search.ends[effort], search.n_refine[effort]);

  IntegerBlock trial;
  ScaleSums sums[n_subs];
  float best_error = 0;
  best = {};
  trial.d = choose_d<n_subs>(fits, search.scale_ends[effort], low, high);
  for (int round = 0; round < search.n_rounds[effort] && trial.d != 0; ++round) {
    float error = 0;
    for (size_t s = 0; s < n_subs; ++s) {
      const float nearest = round_small(std::clamp(fits[s].scale / trial.d, float(low), float(high)));
      float least = 0;
      trial.scale[s] = 0;
      sums[s] = {};
      for (const Lanes& offsets : search.offsets[effort]) {
        const Lanes code = clamp_lanes(all_lanes(nearest) + offsets, low, high);
        const Lanes scale = code * all_lanes(trial.d);
        // Code 0, whose error is 0 here, is measured as another and never better.
        const Lanes inverse = all_lanes(1) / (code != all_lanes(0) ? scale : all_lanes(trial.d));
        const auto four = measure_scales<Levels>(x + n * s, importance + n * s, n, inverse);
        const Lanes errors = four.error(scale);
        const size_t lane = lowest_lane_index(errors);
        if (!(errors[lane] < least)) continue;
        least = errors[lane];
        sums[s] = four[lane];
        trial.scale[s] = int16_t(code[lane]);
      }
      error += least;
      if (trial.scale[s] != 0) fits[s].scale = sums[s].best_scale();
    }
    if (!(error < best_error)) break;
    best_error = error;
    best = trial;
    // The codes are as good for the refitted d; the next round looks for better ones.
    trial.d = refitted_d(sums, trial.scale);
    const float refitted_error = error_of(sums, trial.scale, trial.d);
    if (refitted_error < error) {
      best_error = refitted_error;
      best.d = trial.d;
    }
  }
  return best_error;
}

template <class Block, class Levels, int low, int high>
void encode_symmetric(const float* x, const float* importance, const Search& search, Effort effort,
                      std::byte* out) {
  constexpr size_t n = Block::facts.sub_elems;
  // A closer fit of each sub-block can leave a worse choice of d: the longest search keeps the shorter ones'
  // results.
  IntegerBlock best, trial;
  float best_error = 0;
  for (size_t level = search.first_level[size_t(effort)]; level <= size_t(effort); ++level) {
    const float error = search_scales<n, Levels, low, high>(x, importance, search, level, trial);
    if (!(error < best_error)) continue;
    best_error = error;
    best = trial;
  }
  for (size_t s = 0; s < 256 / n; ++s)
    assign_codes<Levels>(x + n * s, importance + n * s, n, best.d * float(best.scale[s]), best.q + n * s);
  Block block;
  block.pack(best);
  store_block(block, out);
}

constexpr auto kQ6Fast = evenly<4>(-33, -30.75f);
constexpr auto kQ6Normal = evenly<8>(-33.5f, -30);
constexpr auto kQ6Max = both_signs(evenly<48>(-34, -22));
constexpr auto kQ6Scales = evenly<1>(-128, -128);
constexpr auto kQ6ScalesMax = both_signs(evenly<33>(-128, -96));
constexpr Search kSearchQ6_K{{kQ6Fast, kQ6Normal, kQ6Max}, {kQ6Scales, kQ6Scales, kQ6ScalesMax}};

constexpr auto kQ3Fast = both_signs(evenly<4>(2.75f, 4.25f));
constexpr auto kQ3Normal = both_signs(evenly<8>(2.5f, 4.5f));
constexpr auto kQ3Max = both_signs(evenly<32>(2, 5));
constexpr auto kQ3ScalesFast = evenly<3>(-32, -30);
constexpr auto kQ3Scales = both_signs(evenly<9>(-33, -27));
constexpr auto kQ3ScalesMax = both_signs(evenly<49>(-34, -22));
constexpr Search kSearchQ3_K{.ends = {kQ3Fast, kQ3Normal, kQ3Max},
                             .scale_ends = {kQ3ScalesFast, kQ3Scales, kQ3ScalesMax},
                             .first_level = {0, 0, 0}};

constexpr auto kIq4Fast = both_signs(evenly<4>(96, 132));
constexpr auto kIq4Normal = both_signs(evenly<8>(74, 134));
constexpr auto kIq4Max = both_signs(geometric<48>(50, 1.0217f));
constexpr Search kSearchIQ4_XS{{kIq4Fast, kIq4Normal, kIq4Max}, {kQ3ScalesFast, kQ3Scales, kQ3ScalesMax}};

template <class Block, class Levels, int low, int high, const Search& search>
constexpr Encoder encoder() {
  return {Block::facts.id, [](const float* x, const float* importance, Effort effort, std::byte* out) {
            encode_symmetric<Block, Levels, low, high>(x, importance, search, effort, out);
          }};
}

constexpr std::array kEncoders{
    encoder<BlockQ3_K, IntegerLevels<-4, 3>, -32, 31, kSearchQ3_K>(),
    encoder<BlockQ6_K, IntegerLevels<-32, 31>, -128, 127, kSearchQ6_K>(),
    encoder<BlockIQ4_XS, Iq4nlLevels, -32, 31, kSearchIQ4_XS>(),
};

}  // namespace

std::span<const Encoder> k_symmetric_encoders() noexcept {
  return kEncoders;
}

}  // namespace assay
