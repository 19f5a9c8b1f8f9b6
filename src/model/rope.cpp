#include "model/rope.h"

#include <algorithm>
#include <cmath>

namespace assay {
namespace {

/// The pair whose wavelength makes `turns` turns over the original context (YaRN, its equation for the
/// correction range).
double pair_of_turns(const RopeSpec& s, double turns) {
  return double(s.n_rot) * std::log(s.n_ctx_original / (turns * 2 * M_PI)) / (2 * std::log(s.base));
}

}  // namespace

Rope make_rope(const RopeSpec& s, Rope::Pairs pairs) {
  Rope rope{pairs, std::vector<double>(s.n_rot / 2), s.attention};
  for (size_t j = 0; j < s.n_rot / 2; ++j) {
    const double original = std::pow(s.base, -2.0 * double(j) / double(s.n_rot)) /
                            (s.factors.empty() ? 1.0 : double(s.factors[j]));
    rope.frequencies[j] = original / s.factor;
    if (!s.yarn) continue;
    const double low = std::max(0.0, std::floor(pair_of_turns(s, s.beta_fast)));
    const double high = std::min(double(s.n_rot) - 1, std::ceil(pair_of_turns(s, s.beta_slow)));
    const double ramp = std::clamp((double(j) - low) / std::max(0.001, high - low), 0.0, 1.0);
    const double keep = (1 - ramp) * s.extrapolation;
    rope.frequencies[j] = original * keep + rope.frequencies[j] * (1 - keep);
  }
  if (s.yarn && s.extrapolation != 0) rope.magnitude *= 1 + 0.1 * std::log(s.factor);
  return rope;
}

}  // namespace assay
