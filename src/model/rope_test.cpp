#include "model/rope.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace assay {
namespace {

TEST(Rope, FrequenciesFallGeometrically) {
  const Rope rope = make_rope({.n_rot = 8, .base = 10000}, Rope::Pairs::halves);
  ASSERT_EQ(rope.frequencies.size(), 4u);
  for (size_t j = 0; j < 4; ++j) EXPECT_NEAR(rope.frequencies[j], std::pow(10, -double(j)), 1e-15);
  EXPECT_EQ(rope.magnitude, 1);
  EXPECT_EQ(rope.pairs, Rope::Pairs::halves);
}

TEST(Rope, LinearScalingAndFactorsDivide) {
  const std::vector<float> factors = {1, 2, 4, 8};
  const Rope rope =
      make_rope({.n_rot = 8, .base = 10000, .factor = 4, .factors = factors}, Rope::Pairs::adjacent);
  for (size_t j = 0; j < 4; ++j)
    EXPECT_NEAR(rope.frequencies[j], std::pow(10, -double(j)) / 4 / double(factors[j]), 1e-15);
}

// Of Qwen2.5's YaRN settings: the range is computed by hand from n_rot * ln(ctx / (2 pi turns)) / (2 ln
// base).
TEST(Rope, YarnKeepsFastPairsAndInterpolatesSlowOnes) {
  RopeSpec spec{.n_rot = 128, .base = 1e6, .factor = 4};
  spec.yarn = YarnSpec{.n_ctx_original = 32768};
  const Rope plain = make_rope({.n_rot = 128, .base = 1e6}, Rope::Pairs::halves);
  const Rope rope = make_rope(spec, Rope::Pairs::halves);
  for (size_t j = 0; j < 64; ++j) {
    const double share = std::clamp((double(j) - 23) / (40 - 23), 0.0, 1.0);  // floor(23.6), ceil(39.6)
    EXPECT_NEAR(rope.frequencies[j] / plain.frequencies[j], 1 - share * 0.75, 1e-12) << j;
  }
  EXPECT_NEAR(rope.magnitude, 1 + 0.1 * std::log(4.0), 1e-15);
}

TEST(Rope, YarnWithoutExtrapolationIsLinear) {
  RopeSpec spec{.n_rot = 16, .base = 10000, .factor = 4, .magnitude = 1.5};
  const Rope linear = make_rope(spec, Rope::Pairs::halves);
  spec.yarn = YarnSpec{.n_ctx_original = 2048, .extrapolation = 0};
  const Rope yarn = make_rope(spec, Rope::Pairs::halves);
  EXPECT_EQ(yarn.frequencies, linear.frequencies);
  EXPECT_EQ(yarn.magnitude, 1.5);
}

}  // namespace
}  // namespace assay
