#include "cpu/pack.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <mutex>
#include <vector>

#include "cpu/kernel_set.h"
#include "cpu/reorder.h"

namespace assay::cpu {
namespace {

constexpr std::array<TileFormat, 28> kFormats = {{
    {0, 0, 0, 0, 4},                      // F32
    {1, 0, 0, 0, 2},                      // F16
    {30, 0, 0, 0, 2},                     // BF16
    {2, 2, 16, 0, 2},                     // Q4_0
    {3, 0, 20, 0, 0},                     // Q4_1
    {6, 2, 20, 0, 2, reorder_q5<0>},      // Q5_0
    {7, 0, 24, 0, 0, reorder_q5<4>},      // Q5_1
    {8, 2, 32, 0, 2},                     // Q8_0
    {10, 0, 84, 0, 0},                    // Q2_K
    {11, 0, 108, 108, 2},                 // Q3_K
    {12, 0, 144, 0, 0},                   // Q4_K
    {13, 0, 176, 0, 0},                   // Q5_K
    {14, 0, 208, 208, 2},                 // Q6_K
    {16, 2, 68, 0, 2, reorder_iq2_xxs},   // IQ2_XXS
    {17, 2, 76, 0, 2, reorder_iq2_xs},    // IQ2_XS
    {18, 2, 100, 0, 2, reorder_iq3_xxs},  // IQ3_XXS
    {19, 2, 56, 0, 2, reorder_iq1_s},     // IQ1_S
    {20, 2, 16, 0, 2},                    // IQ4_NL
    {21, 2, 108, 0, 2},                   // IQ3_S
    {22, 2, 80, 0, 2},                    // IQ2_S
    {23, 0, 136, 0, 0},                   // IQ4_XS
    {29, 0, 64, 0, 0, reorder_iq1_m},     // IQ1_M
    {34, 0, 52, 52, 2, reorder_tq1_0},    // TQ1_0
    {35, 0, 64, 64, 2},                   // TQ2_0
    {39, 1, 16, 0, 1},                    // MXFP4
    {40, 0, 36, 0, 0},                    // NVFP4
    {41, 2, 16, 0, 2, reorder_q1_0},      // Q1_0
    {42, 2, 16, 0, 2, reorder_q2_0},      // Q2_0
}};

constexpr size_t kMaxMain = 208;
/// Bytes of tiles that a thread writes at a time: many, so that they are claimed with few calls.
constexpr size_t kChunkBytes = size_t(2) << 20;
/// Bytes of rows that a thread reads at a time: they are packed out of its cache.
constexpr size_t kReadBytes = size_t(256) << 10;

/// Four words of the interleaved groups, of four rows: a 4 x 4 transposition in 16-byte registers.
using Words = uint32_t __attribute__((vector_size(16)));
inline Words load(const uint8_t* from) noexcept {
  Words x;
  std::memcpy(&x, from, 16);
  return x;
}
inline void store(uint8_t* to, Words x) noexcept {
  std::memcpy(to, &x, 16);
}
inline void transpose(const uint8_t* const* rows, size_t at, uint8_t* out, size_t group_bytes) noexcept {
  const Words a = load(rows[0] + at), b = load(rows[1] + at), c = load(rows[2] + at), d = load(rows[3] + at);
  const Words ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5),
              ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Words cd0 = __builtin_shufflevector(c, d, 0, 4, 1, 5),
              cd1 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  store(out, __builtin_shufflevector(ab0, cd0, 0, 1, 4, 5));
  store(out + group_bytes, __builtin_shufflevector(ab0, cd0, 2, 3, 6, 7));
  store(out + 2 * group_bytes, __builtin_shufflevector(ab1, cd1, 0, 1, 4, 5));
  store(out + 3 * group_bytes, __builtin_shufflevector(ab1, cd1, 2, 3, 6, 7));
}

/// Writes n_bytes of each of 16 blocks as groups: 4 bytes of row 0, 4 bytes of row 1, ...
void interleave(const uint8_t* const (&blocks)[kTileRows], size_t n_bytes, uint8_t* out) noexcept {
  constexpr size_t kGroupBytes = kTileRows * 4;
  size_t at = 0;
  for (; at + 16 <= n_bytes; at += 16)
    for (size_t r = 0; r < kTileRows; r += 4)
      transpose(blocks + r, at, out + at / 4 * kGroupBytes + r * 4, kGroupBytes);
  for (; at < n_bytes; at += 4)
    for (size_t r = 0; r < kTileRows; ++r) std::memcpy(out + at / 4 * kGroupBytes + r * 4, blocks[r] + at, 4);
}

constexpr uint8_t kNoBlock[kMaxMain] = {};

constexpr size_t whole_lines(size_t n_bytes) noexcept {
  return (n_bytes + 63) / 64 * 64;
}

/// Packs the columns of 16 rows (those from n_rows on are zero) of a float type: column 0 of each row, column
/// 1, ...
void pack_columns(const uint8_t* first, size_t row_bytes, size_t n_rows, size_t n_cols, size_t number_bytes,
                  uint8_t* out) noexcept {
  constexpr size_t kStep = 32;
  static_assert(kStep * 4 <= kMaxMain);
  for (size_t k = 0; k < n_cols; k += kStep, out += kStep * kTileRows * number_bytes) {
    const size_t n = std::min(kStep, n_cols - k);
    const uint8_t* rows[kTileRows];
    for (size_t r = 0; r < kTileRows; ++r)
      rows[r] = r < n_rows ? first + r * row_bytes + k * number_bytes : kNoBlock;
    if (number_bytes == 4) {
      interleave(rows, n * 4, out);
      continue;
    }
    uint32_t pairs[kStep / 2][kTileRows];
    interleave(rows, n / 2 * 4, reinterpret_cast<uint8_t*>(pairs));
    for (size_t p = 0; p < n / 2; ++p) {
      uint16_t columns[2][kTileRows];
      for (size_t r = 0; r < kTileRows; ++r) {
        columns[0][r] = uint16_t(pairs[p][r]);
        columns[1][r] = uint16_t(pairs[p][r] >> 16);
      }
      std::memcpy(out + p * sizeof columns, columns, sizeof columns);
    }
    if (n % 2 != 0)
      for (size_t r = 0; r < kTileRows; ++r)
        std::memcpy(out + ((n - 1) * kTileRows + r) * 2, rows[r] + (n - 1) * 2, 2);
  }
}

/// Packs rows [first, first + n_rows), at most a tile of them.
void pack_tile(const uint8_t* first, size_t row_bytes, size_t n_rows, size_t n_blocks,
               const TileFormat& format, size_t block_bytes, uint8_t* tile) noexcept {
  if (format.main_bytes == 0)
    return pack_columns(first, row_bytes, n_rows, n_blocks, format.small_bytes, tile);
  uint8_t reordered[kTileRows][kMaxMain];
  const uint8_t* blocks[kTileRows];
  std::fill(std::begin(blocks), std::end(blocks), kNoBlock);
  uint8_t *small = tile, *main = tile;
  for (size_t b = 0; b < n_blocks; ++b) {
    if (b % kGroupBlocks == 0) {
      small = main;
      main += whole_lines(std::min(kGroupBlocks, n_blocks - b) * format.small_bytes * kTileRows);
    }
    for (size_t r = 0; r < n_rows; ++r) {
      const uint8_t* const block = first + r * row_bytes + b * block_bytes;
      std::memcpy(small + (b % kGroupBlocks * kTileRows + r) * format.small_bytes, block + format.small_at,
                  format.small_bytes);
      blocks[r] = block + format.main_at;
      if (format.reorder) {
        format.reorder(blocks[r], reordered[r]);
        blocks[r] = reordered[r];
      }
    }
    interleave(blocks, format.main_bytes, main);
    main += format.main_bytes * kTileRows;
  }
}

PackedWeight shape_of(const Weight& weight, const TileFormat& format) noexcept {
  const size_t n_blocks = weight.n_cols / weight.type->block_elems;
  return {nullptr, whole_lines(n_blocks * format.block_bytes() * kTileRows),
          (weight.n_rows + kTileRows - 1) / kTileRows};
}

}  // namespace

const TileFormat* find_tile_format(uint32_t quant_id) noexcept {
  for (const TileFormat& f : kFormats)
    if (f.id == quant_id) return &f;
  return nullptr;
}

size_t packed_bytes(const Weight& weight, const TileFormat& format) noexcept {
  const PackedWeight shape = shape_of(weight, format);
  return shape.tile_bytes * shape.n_tiles * weight.n_experts;
}

PackedWeight pack(const Weight& weight, const TileFormat& format, const ReadWeight& read, ThreadPool& pool,
                  std::byte* memory) {
  PackedWeight packed = shape_of(weight, format);
  packed.memory = memory;
  const size_t block_bytes = weight.type->block_bytes, n_blocks = weight.n_cols / weight.type->block_elems;
  const size_t row_bytes = n_blocks * block_bytes;
  const size_t chunk = std::max<size_t>(1, kChunkBytes / packed.tile_bytes);  // tiles
  const size_t n_chunks = (packed.n_tiles + chunk - 1) / chunk;               // of one expert
  const size_t step = std::max<size_t>(1, kReadBytes / (kTileRows * row_bytes));
  std::mutex mutex;
  std::exception_ptr error;
  pool.run(n_chunks * weight.n_experts, [&](size_t item) {
    const size_t expert = item / n_chunks, begin = item % n_chunks * chunk;
    const size_t end = std::min(packed.n_tiles, begin + chunk);
    std::byte* const tiles = memory + (expert * packed.n_tiles + begin) * packed.tile_bytes;
    populate_for_writing({tiles, (end - begin) * packed.tile_bytes});
    try {
      thread_local std::vector<std::byte> scratch;
      for (size_t first = begin; first < end; first += step) {
        const size_t last = std::min(end, first + step);
        const size_t n_rows = std::min(weight.n_rows, last * kTileRows) - first * kTileRows;
        const uint64_t at = (uint64_t(expert) * weight.n_rows + first * kTileRows) * row_bytes;
        std::span<const std::byte> rows = weight.bytes.subspan(at, n_rows * row_bytes);
        if (read) {
          scratch.resize(std::max(scratch.size(), rows.size()));
          read(weight, at, std::span(scratch).first(rows.size()));
          rows = scratch;
        }
        for (size_t t = first; t < last; ++t)
          pack_tile(reinterpret_cast<const uint8_t*>(rows.data()) + (t - first) * kTileRows * row_bytes,
                    row_bytes, std::min(kTileRows, weight.n_rows - t * kTileRows), n_blocks, format,
                    block_bytes, reinterpret_cast<uint8_t*>(tiles) + (t - begin) * packed.tile_bytes);
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
  });
  if (error) std::rethrow_exception(error);
  return packed;
}

}  // namespace assay::cpu
