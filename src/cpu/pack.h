// Weights as the kernels read them: tiles of 16 rows, interleaved, of the same size as in the file or, for
// types that are written more sparingly than a kernel can read them at the memory's pace, a little larger:
// sign codes of 7 bits become masks of 8 (IQ2_XXS 6 %, IQ2_XS 5 %, IQ3_XXS 4 %), indices of 11 bits for 8
// ternary weights become bytes of 5 weights (IQ1_S 16 %, IQ1_M 14 %).
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/memory.h"
#include "base/thread_pool.h"
#include "ops/tensor.h"

namespace assay::cpu {

/// How a type's block is cut into a main part (a multiple of 4 bytes, interleaved in groups of 4) and a small
/// part (1 or 2 bytes, or one whole float), in the order that kernels/formats.inc expects. A tile holds the
/// small parts of kGroupBlocks blocks, filled up to whole lines of 64 bytes, then their main parts, then the
/// next blocks': one stream, at whose pace a processor prefetches best.
struct TileFormat {
  uint32_t id = 0;
  uint16_t main_at = 0, main_bytes = 0, small_at = 0, small_bytes = 0;  // main_bytes: as the tile holds it
  /// Writes a main part from the block's bytes at main_at; null where they are taken as they are.
  void (*reorder)(const uint8_t* from, uint8_t* main) noexcept = nullptr;
  size_t block_bytes() const { return size_t(main_bytes) + small_bytes; }
};

/// Null for types that have no tile of their own and stay in the file's layout.
const TileFormat* find_tile_format(uint32_t quant_id) noexcept;

/// One weight in tiles, in memory of the backend's; expert e begins at tile e * n_tiles. Rows beyond the last
/// are zero.
struct PackedWeight {
  const std::byte* memory = nullptr;  // 64-byte aligned
  size_t tile_bytes = 0;              // a multiple of 64
  size_t n_tiles = 0;                 // of one expert
  const uint8_t* tile(size_t expert, size_t tile) const {
    return reinterpret_cast<const uint8_t*>(memory) + (expert * n_tiles + tile) * tile_bytes;
  }
};

/// Bytes that pack() writes: a multiple of 64.
size_t packed_bytes(const Weight& weight, const TileFormat& format) noexcept;

/// Packs on all threads of the pool what `read` gives, or Weight::bytes where it is null, to `memory`
/// (packed_bytes, zero, 64-byte aligned, part of a LargeBlock). Throws what `read` does.
PackedWeight pack(const Weight& weight, const TileFormat& format, const ReadWeight& read, ThreadPool& pool,
                  std::byte* memory);

}  // namespace assay::cpu
