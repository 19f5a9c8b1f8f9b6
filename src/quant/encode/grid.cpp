// IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S: magnitudes from a grid, signs apart.
#include <limits>

#include "quant/encode/codebook.h"
#include "quant/encode/grid_search.h"
#include "quant/iq2_s.h"
#include "quant/iq2_xs.h"
#include "quant/iq2_xxs.h"
#include "quant/iq3_s.h"
#include "quant/iq3_xxs.h"

namespace assay {
namespace {

constexpr std::array<int8_t, 3> kIq2Levels = {8, 25, 43};
constexpr std::array<int8_t, 8> kIq3xxsLevels = {4, 12, 20, 28, 36, 44, 52, 62};
constexpr std::array<int8_t, 8> kIq3sLevels = {1, 3, 5, 7, 9, 11, 13, 15};

/// The codes of a sub-block: grid indices in order, and the negative weights of each group of eight.
struct GridCodes {
  uint16_t index[8];
  uint8_t mask[4];
};

/// Codes of least error for sub-blocks of n weights from `grid`, whose entries have `n_dims` of `levels`.
/// even_signs: each group of eight has an even number of negative weights, as a 7-bit sign code says.
template <const auto& grid, const auto& levels, size_t n_dims, size_t n, bool even_signs>
ScaleSums search_grid(const float* x, const float* importance, float scale, GridCodes& codes) {
  constexpr size_t n_levels = std::tuple_size_v<std::remove_cvref_t<decltype(levels)>>;
  using Search = GridSearch<n_dims, n_levels>;
  static const Search search(grid, levels);
  ScaleSums sums;
  for (size_t g = 0; g < n / 8; ++g, x += 8, importance += 8) {
    float magnitude[8];
    uint32_t mask = 0;
    for (size_t j = 0; j < 8; ++j) {
      magnitude[j] = std::abs(x[j]);
      mask |= uint32_t(x[j] < 0) << j;
    }
    if (even_signs && std::popcount(mask) % 2 == 1) {
      // One weight must have the wrong sign; at the smallest level that costs importance * magnitude.
      size_t cheapest = 0;
      for (size_t j = 1; j < 8; ++j)
        if (importance[j] * magnitude[j] < importance[cheapest] * magnitude[cheapest]) cheapest = j;
      mask ^= 1u << cheapest;
      magnitude[cheapest] = -magnitude[cheapest];
    }
    codes.mask[g] = uint8_t(mask);
    for (size_t part = 0; part < 8; part += n_dims) {
      typename Search::Costs cost;
      for (size_t k = 0; k < n_levels; ++k) {
        const float level = scale * float(levels[k]);
        for (size_t j = 0; j < n_dims; ++j)
          cost[k][j] = importance[part + j] * level * (level - 2 * magnitude[part + j]);
      }
      const uint16_t index = search.nearest(cost);
      codes.index[(8 * g + part) / n_dims] = index;
      for (size_t j = 0; j < n_dims; ++j) {
        const float q = grid_value(grid[index], j), wq = importance[part + j] * q;
        sums.xq += wq * magnitude[part + j];
        sums.qq += wq * q;
      }
    }
  }
  return sums;
}

uint32_t sign_codes(const GridCodes& codes) {
  uint32_t word = 0;
  for (size_t g = 0; g < 4; ++g) word |= uint32_t(codes.mask[g] & 127) << (7 * g);
  return word;
}

template <size_t n_bytes>
void pack_scale_nibbles(const uint8_t* scale, uint8_t (&bytes)[n_bytes]) {
  for (size_t k = 0; k < n_bytes; ++k) bytes[k] = uint8_t(scale[2 * k] | scale[2 * k + 1] << 4);
}

struct CodecIQ2_XXS {
  using Block = BlockIQ2_XXS;
  using Sub = GridCodes;
  static constexpr float kUnit = 0.125f;
  static constexpr int kTopCode = 15;
  static constexpr auto search = search_grid<kIq2xxsGrid, kIq2Levels, 8, 32, true>;
  static void pack(float d, const uint8_t* scale, const Sub* subs, Block& block) {
    block.d = float_to_half(d);
    for (size_t s = 0; s < 8; ++s) {
      for (size_t g = 0; g < 4; ++g) block.qs[8 * s + g] = uint8_t(subs[s].index[g]);
      const uint32_t word = sign_codes(subs[s]) | uint32_t(scale[s]) << 28;
      std::memcpy(block.qs + 8 * s + 4, &word, 4);
    }
  }
};

struct CodecIQ2_XS {
  using Block = BlockIQ2_XS;
  using Sub = GridCodes;
  static constexpr float kUnit = 0.125f;
  static constexpr int kTopCode = 15;
  static constexpr auto search = search_grid<kIq2xsGrid, kIq2Levels, 8, 16, true>;
  static void pack(float d, const uint8_t* scale, const Sub* subs, Block& block) {
    block.d = float_to_half(d);
    pack_scale_nibbles(scale, block.scales);
    for (size_t g = 0; g < 32; ++g) {
      const Sub& sub = subs[g / 2];
      block.qs[g] = uint16_t(sub.index[g % 2] | (sub.mask[g % 2] & 127) << 9);
    }
  }
};

struct CodecIQ2_S {
  using Block = BlockIQ2_S;
  using Sub = GridCodes;
  static constexpr float kUnit = 0.125f;
  static constexpr int kTopCode = 15;
  static constexpr auto search = search_grid<kIq2sGrid, kIq2Levels, 8, 16, false>;
  static void pack(float d, const uint8_t* scale, const Sub* subs, Block& block) {
    block.d = float_to_half(d);
    pack_scale_nibbles(scale, block.scales);
    std::memset(block.qh, 0, sizeof(block.qh));
    for (size_t g = 0; g < 32; ++g) {
      const Sub& sub = subs[g / 2];
      block.qs[g] = uint8_t(sub.index[g % 2]);
      block.qh[g / 4] |= uint8_t((sub.index[g % 2] >> 8) << (2 * (g % 4)));
      block.signs[g] = sub.mask[g % 2];
    }
  }
};

struct CodecIQ3_XXS {
  using Block = BlockIQ3_XXS;
  using Sub = GridCodes;
  static constexpr float kUnit = 0.25f;
  static constexpr int kTopCode = 15;
  static constexpr auto search = search_grid<kIq3xxsGrid, kIq3xxsLevels, 4, 32, true>;
  static void pack(float d, const uint8_t* scale, const Sub* subs, Block& block) {
    block.d = float_to_half(d);
    for (size_t k = 0; k < 64; ++k) block.qs[k] = uint8_t(subs[k / 8].index[k % 8]);
    for (size_t s = 0; s < 8; ++s) {
      const uint32_t word = sign_codes(subs[s]) | uint32_t(scale[s]) << 28;
      std::memcpy(block.signs_and_scale + 4 * s, &word, 4);
    }
  }
};

struct CodecIQ3_S {
  using Block = BlockIQ3_S;
  using Sub = GridCodes;
  static constexpr float kUnit = 1;
  static constexpr int kTopCode = 15;
  static constexpr auto search = search_grid<kIq3sGrid, kIq3sLevels, 4, 32, false>;
  static void pack(float d, const uint8_t* scale, const Sub* subs, Block& block) {
    block.d = float_to_half(d);
    pack_scale_nibbles(scale, block.scales);
    std::memset(block.qh, 0, sizeof(block.qh));
    for (size_t k = 0; k < 64; ++k) {
      block.qs[k] = uint8_t(subs[k / 8].index[k % 8]);
      block.qh[k / 8] |= uint8_t((subs[k / 8].index[k % 8] >> 8) << (k % 8));
    }
    for (size_t g = 0; g < 32; ++g) block.signs[g] = subs[g / 4].mask[g % 4];
  }
};

constexpr auto kIq2Fast = geometric<2>(43, 1.3f);
constexpr auto kIq2Normal = geometric<4>(38, 1.3f);
constexpr auto kIq2Max = geometric<25>(30, 1.07f);
constexpr CodebookSearch kSearchIQ2{{kIq2Fast, kIq2Normal, kIq2Max}};
constexpr auto kIq3xxsFast = geometric<2>(58, 1.15f);
constexpr auto kIq3xxsNormal = geometric<4>(52, 1.12f);
constexpr auto kIq3xxsMax = geometric<25>(42, 1.035f);
constexpr CodebookSearch kSearchIQ3_XXS{{kIq3xxsFast, kIq3xxsNormal, kIq3xxsMax}};
constexpr auto kIq3sFast = geometric<2>(14, 1.15f);
constexpr auto kIq3sNormal = geometric<4>(12.5f, 1.12f);
constexpr auto kIq3sMax = geometric<25>(10, 1.035f);
constexpr CodebookSearch kSearchIQ3_S{{kIq3sFast, kIq3sNormal, kIq3sMax}};

template <class Codec, const CodebookSearch& search>
constexpr Encoder encoder() {
  return {.id = Codec::Block::facts.id,
          .encode = [](const float* x, const float* importance, Effort effort,
                       std::byte* out) { CodebookEncoder<Codec>(x, importance, search, effort).encode(out); },
          .raises_large_values = &search == &kSearchIQ2};
}

constexpr std::array kEncoders{
    encoder<CodecIQ2_XXS, kSearchIQ2>(), encoder<CodecIQ2_XS, kSearchIQ2>(),
    encoder<CodecIQ2_S, kSearchIQ2>(),   encoder<CodecIQ3_XXS, kSearchIQ3_XXS>(),
    encoder<CodecIQ3_S, kSearchIQ3_S>(),
};

}  // namespace

std::span<const Encoder> grid_encoders() noexcept {
  return kEncoders;
}

}  // namespace assay
