// The constant tables of the codebook types, in the form decoders use: one byte a weight, first weight
// lowest. Data from ggml (llama.cpp v0.5.0), MIT licence: LICENSE-ggml.txt; codebooks.py writes
// codebooks.cpp.
#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace assay {

extern const std::array<uint64_t, 256> kIq2xxsGrid;  // magnitudes 8, 25, 43
extern const std::array<uint64_t, 512> kIq2xsGrid;
extern const std::array<uint64_t, 1024> kIq2sGrid;
extern const std::array<uint32_t, 256> kIq3xxsGrid;  // magnitudes 4, 12, 20, 28, 36, 44, 52, 62
extern const std::array<uint32_t, 512> kIq3sGrid;    // magnitudes 1, 3, 5 ... 15
extern const std::array<uint64_t, 2048> kIq1sGrid;   // -1, 0, 1 (IQ1_S and IQ1_M)

/// The level numbers of a grid's entries as bit fields, for byte permutes: 16 bits an entry, first weight
/// lowest, 2 bits a weight (entries of eight) or 4 (entries of four). The first byte of every entry, then the
/// second byte of every entry.
extern const std::array<uint8_t, 512> kIq2xxsFields;
extern const std::array<uint8_t, 1024> kIq2xsFields;
extern const std::array<uint8_t, 2048> kIq2sFields;
extern const std::array<uint8_t, 512> kIq3xxsFields;
extern const std::array<uint8_t, 1024> kIq3sFields;

/// The sixteen values of IQ4_NL and IQ4_XS.
inline constexpr int8_t kIq4nlValues[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                            1,    13,   25,  38,  53,  69,  89,  113};
/// Twice the sixteen E2M1 values (MXFP4, NVFP4).
inline constexpr int8_t kFp4DoubledValues[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/// Code of a value of kIq4nlValues.
constexpr uint8_t iq4nl_code(int8_t value) noexcept {
  int below = 0;
  for (const int8_t v : kIq4nlValues) below += v < value;
  return uint8_t(below);
}
/// Code of a value of kFp4DoubledValues; +0 for zero.
constexpr uint8_t fp4_code(int8_t value) noexcept {
  const int magnitude = value < 0 ? -value : value;
  const int code = magnitude < 4 ? magnitude : magnitude < 8 ? magnitude / 2 + 2 : magnitude / 4 + 4;
  return uint8_t(value < 0 ? code | 8 : code);
}

/// Value of weight j of a grid entry.
template <class Entry>
constexpr int8_t grid_value(Entry entry, size_t j) noexcept {
  return int8_t(entry >> (8 * j));
}

/// A 7-bit sign code -> mask of the negative weights of a group of eight: bit 7 makes the number of set bits
/// even.
constexpr uint8_t sign_mask(uint32_t code) noexcept {
  const uint32_t low = code & 127;
  return uint8_t(low | uint32_t(std::popcount(low) & 1) << 7);
}

/// `value`, negated when bit j of `mask` is set.
constexpr int8_t with_sign(int8_t value, uint32_t mask, size_t j) noexcept {
  return int8_t((mask >> j) & 1 ? -value : value);
}

}  // namespace assay
