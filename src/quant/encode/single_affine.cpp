// Types of one scale and one min a block: x[i] ~ d * q[i] + m, both f16.
#include <limits>

#include "quant/encode/encoders.h"
#include "quant/encode/fit.h"
#include "quant/q4_1.h"
#include "quant/q5_1.h"

namespace assay {
namespace {

template <class Block, int top>
void encode_affine(const float* x, const float* importance, Effort effort, std::byte* out) {
  constexpr size_t n = Block::facts.block_elems;
  static constexpr auto kFewStretches = evenly<4>(-0.75f, 0.75f);
  static constexpr auto kNoFirsts = evenly<1>(0, 0);
  static constexpr auto kFewFirsts = evenly<3>(-0.33f, 0.33f);
  static constexpr auto kManyStretches = evenly<12>(-1, 2);
  static constexpr auto kManyFirsts = evenly<7>(-0.5f, 0.5f);
  static constexpr AffineStarts kStarts[] = {
      {kFewStretches, kNoFirsts}, {kFewStretches, kFewFirsts}, {kManyStretches, kManyFirsts}};
  const AffineFit fit = fit_affine<top>(x, importance, n, MinSign::any, kStarts[size_t(effort)],
                                        effort == Effort::fast ? 1 : 4);
  IntegerBlock best, trial;
  float best_error = std::numeric_limits<float>::infinity();
  auto try_factors = [&](float d, float min) {
    trial.d = d;
    trial.dmin = -min;
    const float error = assign_affine_codes<top>(x, importance, n, d, min, trial.q);
    if (!(error < best_error)) return false;
    best_error = error;
    best = trial;
    return true;
  };
  try_factors(0, half_scale(fit.min));
  float d = half_scale(fit.scale), min = half_scale(fit.min);
  while (d > 0 && try_factors(d, min)) {
    const auto refit = solve_affine(measure_affine<top>(x, importance, n, 1 / d, min), fit.run, MinSign::any);
    d = half_scale(refit.scale);
    min = half_scale(refit.min);
  }
  Block block;
  block.pack(best);
  store_block(block, out);
}

constexpr std::array kEncoders{
    Encoder{BlockQ4_1::facts.id, encode_affine<BlockQ4_1, 15>},
    Encoder{BlockQ5_1::facts.id, encode_affine<BlockQ5_1, 31>},
};

}  // namespace

std::span<const Encoder> single_affine_encoders() noexcept {
  return kEncoders;
}

}  // namespace assay
