#include "cpu/unpacked.h"

#include <algorithm>

namespace assay::cpu {
namespace {

constexpr size_t kMaxBlock = 256;

/// Activation blocks of `unit` weights out of one block of 16 rows.
void take_apart(const QuantType& type, std::span<const IntegerBlock> blocks, size_t begin, size_t unit,
                UnpackedTile& tile) {
  const size_t sub_elems = std::min<size_t>(type.sub_elems, unit);
  for (size_t r = 0; r < kTileRows; ++r) {
    const IntegerBlock& b = blocks[r];
    tile.d[r] = b.d;
    tile.dmin[r] = b.dmin;
    for (size_t s = 0; s * sub_elems < unit; ++s) {
      const size_t source = (begin + s * sub_elems) / type.sub_elems;
      tile.scale[s * 16 + r] = b.scale[source];
      tile.min[s * 16 + r] = b.min[source];
    }
    for (size_t k = 0; k < unit; ++k) tile.codes[(k / 4 * 16 + r) * 4 + k % 4] = b.q[begin + k];
  }
}

}  // namespace

void multiply_unpacked_tile(const KernelSet& kernels, const Weight& weight, size_t expert, size_t tile,
                            std::span<const void* const> rows, std::span<float> acc) {
  const QuantType& type = *weight.type;
  const size_t n_rows = std::min(kTileRows, weight.n_rows - tile * kTileRows);
  const std::byte* blocks[kTileRows];
  for (size_t r = 0; r < n_rows; ++r) blocks[r] = weight.row(tile * kTileRows + r, expert).data();
  std::fill(acc.begin(), acc.end(), 0.0f);
  const size_t n_blocks = weight.n_cols / type.block_elems;

  if (type.activations == Activations::f32) {
    // Blocks of one weight are taken many at a time.
    const size_t step = std::max<size_t>(1, 64 / type.block_elems);
    float w[kTileRows][kMaxBlock], tile_w[kMaxBlock * kTileRows];
    for (size_t b = 0; b < n_blocks; b += step) {
      const size_t n = std::min(step, n_blocks - b), n_cols = n * type.block_elems;
      for (size_t r = 0; r < kTileRows; ++r) {
        if (r < n_rows)
          type.dequantize(blocks[r] + b * type.block_bytes, n, w[r]);
        else
          std::fill_n(w[r], n_cols, 0.0f);
        for (size_t k = 0; k < n_cols; ++k) tile_w[k * kTileRows + r] = w[r][k];
      }
      for (size_t t = 0; t < rows.size(); ++t) {
        const float* x = static_cast<const float*>(rows[t]) + b * type.block_elems;
        kernels.float_tile({tile_w, n_cols, &x, 1, acc.data() + t * kTileRows});
      }
    }
    return;
  }

  const bool q8_k = type.activations == Activations::q8_k;
  const size_t unit = q8_k ? 256 : 32;
  IntegerBlock integers[kTileRows] = {};
  UnpackedTile unpacked;
  for (size_t b = 0; b < n_blocks; ++b) {
    for (size_t r = 0; r < n_rows; ++r) type.integers(blocks[r] + b * type.block_bytes, integers[r]);
    for (size_t begin = 0; begin < type.block_elems; begin += unit) {
      take_apart(type, integers, begin, unit, unpacked);
      const size_t a = (b * type.block_elems + begin) / unit;
      for (size_t t = 0; t < rows.size(); ++t) {
        const void* x = q8_k ? static_cast<const void*>(static_cast<const RoundedQ8K*>(rows[t]) + a)
                             : static_cast<const void*>(static_cast<const RoundedQ8_0*>(rows[t]) + a);
        const UnpackedJob job{&unpacked, type.sub_elems, type.has_mins, &x, 1, acc.data() + t * kTileRows};
        (q8_k ? kernels.unpacked_q8_k : kernels.unpacked_q8_0)(job);
      }
    }
  }
}

}  // namespace assay::cpu
