// IQ1_S and IQ1_M: signed values from a ternary grid, all shifted by +-1/8; in units of 1/8, q = 8 * grid
// +- 1.
#include <limits>

#include "quant/encode/codebook.h"
#include "quant/encode/grid_search.h"
#include "quant/iq1_m.h"
#include "quant/iq1_s.h"

namespace assay {
namespace {

constexpr std::array<int8_t, 3> kLevels = {-1, 0, 1};

struct GroupFit {
  ScaleSums sums;
  uint16_t index = 0;
};

GroupFit fit_group(const float* x, const float* importance, float scale, int shift) {
  static const GridSearch<8, 3> search(kIq1sGrid, kLevels);
  GridSearch<8, 3>::Costs cost;
  for (size_t k = 0; k < 3; ++k) {
    const float level = scale * float(8 * kLevels[k] + shift);
    for (size_t j = 0; j < 8; ++j) cost[k][j] = importance[j] * level * (level - 2 * x[j]);
  }
  GroupFit fit;
  fit.index = search.nearest(cost);
  for (size_t j = 0; j < 8; ++j) {
    const float q = float(8 * grid_value(kIq1sGrid[fit.index], j) + shift), wq = importance[j] * q;
    fit.sums.xq += wq * x[j];
    fit.sums.qq += wq * q;
  }
  return fit;
}

ScaleSums operator+(const ScaleSums& a, const ScaleSums& b) {
  return {a.xq + b.xq, a.qq + b.qq};
}

/// The codes of a sub-block: grid indices, and for each group whether the shift is -1/8.
struct ShiftedCodes {
  uint16_t index[4];
  bool negative[4];
};

struct CodecIQ1_S {
  using Block = BlockIQ1_S;
  using Sub = ShiftedCodes;
  static constexpr float kUnit = 0.125f;
  static constexpr int kTopCode = 7;

  /// The four groups share a shift.
  static ScaleSums search(const float* x, const float* importance, float scale, Sub& sub) {
    ScaleSums best;
    for (const int shift : {1, -1}) {
      ScaleSums sums;
      Sub trial;
      for (size_t g = 0; g < 4; ++g) {
        const GroupFit fit = fit_group(x + 8 * g, importance + 8 * g, scale, shift);
        sums = sums + fit.sums;
        trial.index[g] = fit.index;
        trial.negative[g] = shift < 0;
      }
      if (shift > 0 || sums.error(scale) < best.error(scale)) {
        best = sums;
        sub = trial;
      }
    }
    return best;
  }
  static void pack(float d, const uint8_t* scale, const Sub* subs, Block& block) {
    block.d = float_to_half(d);
    for (size_t s = 0; s < 8; ++s) {
      uint32_t word = uint32_t(scale[s]) << 12 | uint32_t(subs[s].negative[0]) << 15;
      for (size_t g = 0; g < 4; ++g) {
        block.qs[4 * s + g] = uint8_t(subs[s].index[g]);
        word |= uint32_t(subs[s].index[g] >> 8) << (3 * g);
      }
      block.qh[s] = uint16_t(word);
    }
  }
};

struct CodecIQ1_M {
  using Block = BlockIQ1_M;
  using Sub = ShiftedCodes;
  static constexpr float kUnit = 0.125f;
  static constexpr int kTopCode = 7;

  /// Each of the two groups has its own shift.
  static ScaleSums search(const float* x, const float* importance, float scale, Sub& sub) {
    ScaleSums sums;
    for (size_t g = 0; g < 2; ++g) {
      const GroupFit up = fit_group(x + 8 * g, importance + 8 * g, scale, 1);
      const GroupFit down = fit_group(x + 8 * g, importance + 8 * g, scale, -1);
      sub.negative[g] = down.sums.error(scale) < up.sums.error(scale);
      const GroupFit& fit = sub.negative[g] ? down : up;
      sub.index[g] = fit.index;
      sums = sums + fit.sums;
    }
    return sums;
  }
  static void pack(float d, const uint8_t* scale, const Sub* subs, Block& block) {
    const uint32_t half = float_to_half(d);
    for (size_t t = 0; t < 4; ++t) {
      uint32_t word = (half >> (4 * t) & 15) << 12;
      for (size_t k = 0; k < 4; ++k) word |= uint32_t(scale[4 * t + k]) << (3 * k);
      block.scales[t] = uint16_t(word);
    }
    std::memset(block.qh, 0, sizeof(block.qh));
    for (size_t g = 0; g < 32; ++g) {
      const Sub& sub = subs[g / 2];
      block.qs[g] = uint8_t(sub.index[g % 2]);
      block.qh[g / 2] |= uint8_t(((sub.index[g % 2] >> 8) | (sub.negative[g % 2] ? 8 : 0)) << (4 * (g % 2)));
    }
  }
};

constexpr auto kFast = geometric<3>(10, 1.5f);
constexpr auto kNormal = geometric<5>(9, 1.5f);
constexpr auto kMax = geometric<25>(7, 1.12f);
constexpr CodebookSearch kSearch{{kFast, kNormal, kMax}};

template <class Codec>
void encode_iq1(const float* x, const float* importance, Effort effort, std::byte* out) {
  CodebookEncoder<Codec>(x, importance, kSearch, effort).encode(out);
}

constexpr std::array kEncoders{
    Encoder{.id = BlockIQ1_S::facts.id, .encode = encode_iq1<CodecIQ1_S>, .raises_large_values = true},
    Encoder{.id = BlockIQ1_M::facts.id, .encode = encode_iq1<CodecIQ1_M>, .raises_large_values = true},
};

}  // namespace

std::span<const Encoder> iq1_encoders() noexcept {
  return kEncoders;
}

}  // namespace assay
