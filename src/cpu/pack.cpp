#include "cpu/pack.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "cpu/kernel_set.h"

namespace assay::cpu {
namespace {

/// main = bytes [begin, begin + n), small = m bytes at `small_at`.
template <size_t begin, size_t n, size_t small_at, size_t m>
void cut(const uint8_t* block, uint8_t* main, uint8_t* small) noexcept {
  if constexpr (n != 0) std::memcpy(main, block + begin, n);
  if constexpr (m != 0) std::memcpy(small, block + small_at, m);
}

/// Bit i of the result's byte i % 4, bit i / 4, is bit i of x: code 4g + b finds its bit at bit g of byte b.
uint32_t order_fifth_bits(uint32_t x) noexcept {
  uint32_t y = 0;
  for (uint32_t i = 0; i < 32; ++i) y |= ((x >> i) & 1u) << (8 * (i % 4) + i / 4);
  return y;
}
template <size_t at>
void reorder(uint8_t* main) noexcept {
  uint32_t bits;
  std::memcpy(&bits, main + at, 4);
  bits = order_fifth_bits(bits);
  std::memcpy(main + at, &bits, 4);
}
void split_q5_0(const uint8_t* block, uint8_t* main, uint8_t* small) noexcept {
  cut<2, 20, 0, 2>(block, main, small);
  reorder<0>(main);
}
void split_q5_1(const uint8_t* block, uint8_t* main, uint8_t* small) noexcept {
  cut<0, 24, 0, 0>(block, main, small);
  reorder<4>(main);
}

constexpr std::array<TileFormat, 16> kFormats = {{
    {0, 0, 4, cut<0, 0, 0, 4>},         // F32
    {1, 0, 2, cut<0, 0, 0, 2>},         // F16
    {30, 0, 2, cut<0, 0, 0, 2>},        // BF16
    {2, 16, 2, cut<2, 16, 0, 2>},       // Q4_0
    {3, 20, 0, cut<0, 20, 0, 0>},       // Q4_1
    {6, 20, 2, split_q5_0},             // Q5_0
    {7, 24, 0, split_q5_1},             // Q5_1
    {8, 32, 2, cut<2, 32, 0, 2>},       // Q8_0
    {10, 84, 0, cut<0, 84, 0, 0>},      // Q2_K
    {11, 108, 2, cut<0, 108, 108, 2>},  // Q3_K
    {12, 144, 0, cut<0, 144, 0, 0>},    // Q4_K
    {13, 176, 0, cut<0, 176, 0, 0>},    // Q5_K
    {14, 208, 2, cut<0, 208, 208, 2>},  // Q6_K
    {20, 16, 2, cut<2, 16, 0, 2>},      // IQ4_NL
    {23, 136, 0, cut<0, 136, 0, 0>},    // IQ4_XS
    {39, 16, 1, cut<1, 16, 0, 1>},      // MXFP4
}};

constexpr size_t kMaxMain = 208, kMaxSmall = 4;

}  // namespace

const TileFormat* find_tile_format(uint32_t quant_id) noexcept {
  for (const TileFormat& f : kFormats)
    if (f.id == quant_id) return &f;
  return nullptr;
}

PackedWeight pack(const Weight& weight, const TileFormat& format, ThreadPool& pool) {
  PackedWeight packed;
  const size_t block_bytes = weight.type->block_bytes, n_blocks = weight.n_cols / weight.type->block_elems;
  packed.n_tiles = (weight.n_rows + kTileRows - 1) / kTileRows;
  packed.tile_bytes = (n_blocks * block_bytes * kTileRows + 63) / 64 * 64;
  packed.memory = LargeBlock(packed.tile_bytes * packed.n_tiles * weight.n_experts);
  pool.run(packed.n_tiles * weight.n_experts, [&](size_t item) {
    const size_t expert = item / packed.n_tiles, tile = item % packed.n_tiles;
    const size_t n_rows = std::min(kTileRows, weight.n_rows - tile * kTileRows);
    auto* const main = reinterpret_cast<uint8_t*>(packed.memory.data()) + item * packed.tile_bytes;
    uint8_t* const small = main + n_blocks * format.main_bytes * kTileRows;
    const uint8_t* rows[kTileRows];
    for (size_t r = 0; r < n_rows; ++r)
      rows[r] = reinterpret_cast<const uint8_t*>(weight.row(tile * kTileRows + r, expert).data());
    alignas(4) uint8_t part[kTileRows][kMaxMain];
    uint8_t tail[kMaxSmall];
    for (size_t b = 0; b < n_blocks; ++b) {
      for (size_t r = 0; r < n_rows; ++r) {
        format.split(rows[r] + b * block_bytes, part[r], tail);
        std::memcpy(small + (b * kTileRows + r) * format.small_bytes, tail, format.small_bytes);
      }
      uint8_t* const groups = main + b * format.main_bytes * kTileRows;
      for (size_t g = 0; g < format.main_bytes / 4u; ++g)
        for (size_t r = 0; r < n_rows; ++r) std::memcpy(groups + (g * kTileRows + r) * 4, part[r] + 4 * g, 4);
    }
  });
  return packed;
}

}  // namespace assay::cpu
