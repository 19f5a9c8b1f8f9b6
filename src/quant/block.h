// What the block headers of this folder share: their facts, and the bit layouts that several of them use.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/half.h"
#include "quant/table.h"

namespace assay {

static_assert(std::endian::native == std::endian::little, "block structs are the file's bytes");

/// The part of a QuantType that its block struct states; table.cpp adds sizeof(Block) and the decoders.
/// Source of ids and layouts: ggml.h and ggml-common.h of llama.cpp v0.5.0.
struct QuantFacts {
  std::string_view name;
  uint32_t id;
  uint16_t block_elems = 256;
  uint16_t sub_elems = block_elems;
  bool has_mins = false;
  Activations activations = Activations::q8_k;
};

/// Thirty-two nibbles in 16 bytes: weight i is in byte i % 16, low nibble for i < 16, high for i >= 16.
inline int split_nibble(const uint8_t* qs, size_t i) noexcept {
  return (qs[i % 16] >> (i < 16 ? 0 : 4)) & 15;
}

/// Super-block of 256 two-bit codes in 64 bytes (Q2_K, Q3_K, TQ2_0): each half of 128 weights takes 32 bytes,
/// weight i is in byte i % 32 of its half, bits 2g and 2g + 1 with g = (i % 128) / 32.
inline int two_bit_code(const uint8_t* qs, size_t i) noexcept {
  return (qs[32 * (i / 128) + i % 32] >> (2 * (i % 128 / 32))) & 3;
}

/// Writes q[i] + offset, 0..3 in its low bits, as two_bit_code reads it.
inline void pack_two_bit_codes(const int8_t* q, int offset, uint8_t* qs) noexcept {
  for (size_t k = 0; k < 64; ++k) {
    const int8_t* first = q + 128 * (k / 32) + k % 32;
    int byte = 0;
    for (int g = 0; g < 4; ++g) byte |= ((first[32 * g] + offset) & 3) << (2 * g);
    qs[k] = uint8_t(byte);
  }
}

/// Super-block of 256 nibbles in 128 bytes (Q4_K, Q5_K): each run of 64 weights takes 32 bytes, the low
/// nibbles are its first 32 weights.
inline int paired_nibble(const uint8_t* qs, size_t i) noexcept {
  return (qs[32 * (i / 64) + i % 32] >> (i % 64 < 32 ? 0 : 4)) & 15;
}

/// Writes the low four bits of q[i] as paired_nibble reads them.
inline void pack_paired_nibbles(const int8_t* q, uint8_t* qs) noexcept {
  for (size_t k = 0; k < 128; ++k) {
    const int8_t* low = q + 64 * (k / 32) + k % 32;
    qs[k] = uint8_t((low[0] & 15) | (low[32] & 15) << 4);
  }
}

/// Eight 6-bit scales and eight 6-bit mins in twelve bytes (Q4_K, Q5_K):
///            bits 7-6          bits 5-0
///   c[0..3]  scale 4..7 top    scale 0..3
///   c[4..7]  min 4..7 top      min 0..3
///            bits 7-4          bits 3-0
///   c[8..11] min 4..7 low      scale 4..7 low
inline void unpack_scales_and_mins(const uint8_t* c, int16_t* scale, int16_t* min) noexcept {
  for (size_t s = 0; s < 4; ++s) {
    scale[s] = c[s] & 63;
    min[s] = c[s + 4] & 63;
    scale[s + 4] = int16_t((c[s + 8] & 15) | (c[s] >> 6 << 4));
    min[s + 4] = int16_t((c[s + 8] >> 4) | (c[s + 4] >> 6 << 4));
  }
}

/// The inverse of unpack_scales_and_mins, for numbers of 0..63.
inline void pack_scales_and_mins(const int16_t* scale, const int16_t* min, uint8_t* c) noexcept {
  for (size_t s = 0; s < 4; ++s) {
    c[s] = uint8_t(scale[s] | scale[s + 4] >> 4 << 6);
    c[s + 4] = uint8_t(min[s] | min[s + 4] >> 4 << 6);
    c[s + 8] = uint8_t((scale[s + 4] & 15) | (min[s + 4] & 15) << 4);
  }
}

}  // namespace assay
