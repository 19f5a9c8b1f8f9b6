#include "model/rope.h"

#include <algorithm>
#include <cmath>

namespace assay {
namespace {

/// YaRN's correction range, its pairs at both ends whole numbers.
struct Ramp {
  double low, high;
  /// 0 for pairs that keep their frequency, 1 for those that are interpolated.
  double at(size_t pair) const {
    return std::clamp((double(pair) - low) / std::max(0.001, high - low), 0.0, 1.0);
  }
};

Ramp correction_range(const RopeSpec& s) {
  const auto pair_of_turns = [&](double turns) {
    return double(s.n_rot) * std::log(s.yarn->n_ctx_original / (turns * 2 * M_PI)) / (2 * std::log(s.base));
  };
  return {std::max(0.0, std::floor(pair_of_turns(s.yarn->beta_fast))),
          std::min(double(s.n_rot) - 1, std::ceil(pair_of_turns(s.yarn->beta_slow)))};
}

}  // namespace

Rope make_rope(const RopeSpec& s, Rope::Pairs pairs) {
  Rope rope{pairs, std::vector<double>(s.n_rot / 2), s.magnitude};
  for (size_t j = 0; j < s.n_rot / 2; ++j) {
    const double original = std::pow(s.base, -2.0 * double(j) / double(s.n_rot)) /
                            (s.factors.empty() ? 1.0 : double(s.factors[j]));
    const double keep = s.yarn ? (1 - correction_range(s).at(j)) * s.yarn->extrapolation : 0.0;
    rope.frequencies[j] = original * keep + original / s.factor * (1 - keep);
  }
  // YaRN's attention temperature; it is 1 where the context is not extended.
  if (s.yarn && s.yarn->extrapolation != 0) rope.magnitude *= 1 + 0.1 * std::log(std::max(1.0, s.factor));
  return rope;
}

}  // namespace assay
