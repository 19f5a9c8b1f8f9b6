// Weights as the kernels read them: tiles of 16 rows, interleaved, of the same size as in the file.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/memory.h"
#include "base/thread_pool.h"
#include "ops/tensor.h"

namespace assay::cpu {

/// How a type's block is cut into a main part (a multiple of 4 bytes, interleaved in groups of 4) and a small
/// part (1 or 2 bytes, or one whole float), in the order that kernels/formats.inc expects.
struct TileFormat {
  uint32_t id = 0;
  uint16_t main_at = 0, main_bytes = 0, small_at = 0, small_bytes = 0;
  /// Applied to each main part; null where its bytes are taken as they are.
  void (*reorder)(uint8_t* main) noexcept = nullptr;
};

/// Null for types that have no tile of their own and stay in the file's layout.
const TileFormat* find_tile_format(uint32_t quant_id) noexcept;

/// One weight in tiles; expert e begins at tile e * n_tiles. Rows beyond the last are zero.
struct PackedWeight {
  LargeBlock memory;
  size_t tile_bytes = 0;  // a multiple of 64
  size_t n_tiles = 0;     // of one expert
  const uint8_t* tile(size_t expert, size_t tile) const {
    return reinterpret_cast<const uint8_t*>(memory.data()) + (expert * n_tiles + tile) * tile_bytes;
  }
};

/// Packs on all threads of the pool. Throws MachineError when memory runs out.
PackedWeight pack(const Weight& weight, const TileFormat& format, ThreadPool& pool);

}  // namespace assay::cpu
