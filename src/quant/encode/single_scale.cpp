// Types of one scale a block and no mins: x[i] ~ d * q[i], d an f16 of either sign.
#include <limits>

#include "quant/encode/encoders.h"
#include "quant/encode/fit.h"
#include "quant/iq4_nl.h"
#include "quant/q1_0.h"
#include "quant/q2_0.h"
#include "quant/q4_0.h"
#include "quant/q5_0.h"
#include "quant/q8_0.h"
#include "quant/tq1_0.h"
#include "quant/tq2_0.h"

namespace assay {
namespace {

/// The two levels of Q1_0.
struct SignLevels {
  static Lanes nearest(Lanes v) noexcept { return v < all_lanes(0) ? all_lanes(-1) : all_lanes(1); }
};

/// Where the search starts: the levels at which it puts the block's peak.
struct Starts {
  std::span<const float> fast, normal, max;
  std::span<const float> of(Effort effort) const {
    return effort == Effort::fast ? fast : effort == Effort::normal ? normal : max;
  }
};

/// The binary16 one step from `d`, away from or towards zero.
float next_half(float d, int step) {
  return half_to_float(uint16_t(float_to_half(d) + step));
}

template <class Block, class Levels>
void encode_scaled(const float* x, const float* importance, const Starts& starts, Effort effort,
                   std::byte* out) {
  constexpr size_t n = Block::facts.block_elems;
  IntegerBlock best, trial;
  float best_error = std::numeric_limits<float>::infinity();
  auto try_scale = [&](float d) {
    trial.d = d;
    const float error = assign_codes<Levels>(x, importance, n, d, trial.q);
    if (!(error < best_error)) return false;
    best_error = error;
    best = trial;
    return true;
  };
  try_scale(0);
  const ScaleFit fit = fit_scale<Levels>(x, importance, n, starts.of(effort), effort == Effort::fast ? 1 : 4);
  if (fit.scale != 0) {
    float d = half_scale(fit.scale);
    while (try_scale(d)) d = half_scale(measure_scale<Levels>(x, importance, n, 1 / d).best_scale());
    // Among the least halves a step is a large part of d: the one nearest to the best scale need not be the
    // best.
    if (std::abs(fit.scale) < 0x1p-20f)
      for (int k = 1; k <= 16; ++k)
        for (const float sign : {1.0f, -1.0f}) try_scale(sign * float(k) * 0x1p-24f);
    if (effort == Effort::max)
      for (const int step : {-1, 1})
        while (best.d != 0 && std::abs(best.d) < 65504 && try_scale(next_half(best.d, step))) {
        }
  }
  Block block;
  block.pack(best);
  store_block(block, out);
}

// Q8_0 has levels to spare: the peak at the last one is as good as any start.
constexpr std::array<float, 4> kQ8Starts = {127, 126.9f, 126.75f, 126};
constexpr auto kQ8StartsMax = evenly<16>(127.5f, 123.75f);

// Every integer end is among the normal starts, so that a block that is already exact is found again.
constexpr auto kQ4StartsFast = both_signs(evenly<4>(6.5f, 8));
constexpr auto kQ4Starts = both_signs(evenly<14>(2.5f, 9));
constexpr auto kQ4StartsMax = both_signs(evenly<60>(2, 9));
constexpr auto kQ5StartsFast = both_signs(evenly<4>(14, 17));
constexpr auto kQ5Starts = both_signs(evenly<14>(11, 17.5f));
constexpr auto kQ5StartsMax = both_signs(evenly<60>(6, 20.75f));
constexpr auto kIq4StartsFast = both_signs(evenly<4>(100, 130));
constexpr std::array<float, 24> kIq4Starts = {-127, -104, -83, -65, -49, -35,  113, 89, 69,  53, 38,
                                              -120, -112, -96, -90, -74, -134, 120, 98, 105, 79, 61};
constexpr auto kIq4StartsMax = both_signs(geometric<72>(30, 1.0217f));
// A lone outlier is better cut off than followed: starts reach far beyond the last level.
constexpr auto kQ2StartsFast = both_signs(geometric<4>(1, 1.6f));
constexpr auto kQ2Starts = both_signs(geometric<14>(1, 1.26f));
constexpr auto kQ2StartsMax = both_signs(geometric<50>(1, 1.0595f));
constexpr auto kTernaryStartsFast = geometric<8>(1, 1.4f);
constexpr auto kTernaryStarts = geometric<16>(1, 1.22f);
constexpr auto kTernaryStartsMax = geometric<56>(1, 1.0595f);
constexpr auto kSignStarts = evenly<4>(1, 1);

constexpr Starts kStartsQ8_0{kQ8Starts, kQ8Starts, kQ8StartsMax};
constexpr Starts kStartsQ4_0{kQ4StartsFast, kQ4Starts, kQ4StartsMax};
constexpr Starts kStartsQ5_0{kQ5StartsFast, kQ5Starts, kQ5StartsMax};
constexpr Starts kStartsIQ4_NL{kIq4StartsFast, kIq4Starts, kIq4StartsMax};
constexpr Starts kStartsQ2_0{kQ2StartsFast, kQ2Starts, kQ2StartsMax};
constexpr Starts kStartsTernary{kTernaryStartsFast, kTernaryStarts, kTernaryStartsMax};
constexpr Starts kStartsQ1_0{kSignStarts, kSignStarts, kSignStarts};

template <class Block, class Levels, const Starts& starts>
constexpr Encoder encoder() {
  return {Block::facts.id, [](const float* x, const float* importance, Effort effort, std::byte* out) {
            encode_scaled<Block, Levels>(x, importance, starts, effort, out);
          }};
}

constexpr std::array kEncoders{
    encoder<BlockQ4_0, IntegerLevels<-8, 7>, kStartsQ4_0>(),
    encoder<BlockQ5_0, IntegerLevels<-16, 15>, kStartsQ5_0>(),
    encoder<BlockQ8_0, IntegerLevels<-127, 127>, kStartsQ8_0>(),
    encoder<BlockIQ4_NL, Iq4nlLevels, kStartsIQ4_NL>(),
    encoder<BlockQ1_0, SignLevels, kStartsQ1_0>(),
    encoder<BlockQ2_0, IntegerLevels<-1, 2>, kStartsQ2_0>(),
    encoder<BlockTQ1_0, IntegerLevels<-1, 1>, kStartsTernary>(),
    encoder<BlockTQ2_0, IntegerLevels<-1, 1>, kStartsTernary>(),
};

}  // namespace

std::span<const Encoder> single_scale_encoders() noexcept {
  return kEncoders;
}

}  // namespace assay
