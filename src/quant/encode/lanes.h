// Four floats at a time, for the inner loops of the encoders: the vector extension that g++ and clang++
// share, which is SSE2 or NEON without a line for either. The order of every sum is fixed by these types, so
// results do not depend on the machine.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace assay {

using Lanes = float __attribute__((vector_size(16)));
inline constexpr size_t kLanes = 4;

inline Lanes load_lanes(const float* p) noexcept {
  Lanes v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
inline void store_lanes(float* p, Lanes v) noexcept {
  std::memcpy(p, &v, sizeof(v));
}
inline Lanes all_lanes(float v) noexcept {
  return Lanes{v, v, v, v};
}
// g++ 12 does not see that a selection is minps or maxps.
inline Lanes min_lanes(Lanes a, Lanes b) noexcept {
#ifdef __SSE2__
  return _mm_min_ps(a, b);
#else
  return a < b ? a : b;
#endif
}
inline Lanes max_lanes(Lanes a, Lanes b) noexcept {
#ifdef __SSE2__
  return _mm_max_ps(a, b);
#else
  return a > b ? a : b;
#endif
}
inline Lanes clamp_lanes(Lanes v, float low, float high) noexcept {
  return min_lanes(max_lanes(v, all_lanes(low)), all_lanes(high));
}
inline float sum_lanes(Lanes v) noexcept {
  return (v[0] + v[2]) + (v[1] + v[3]);
}
inline float lowest_lane(Lanes v) noexcept {
  return std::min(std::min(v[0], v[1]), std::min(v[2], v[3]));
}
inline float highest_lane(Lanes v) noexcept {
  return std::max(std::max(v[0], v[1]), std::max(v[2], v[3]));
}

inline size_t highest_lane_index(Lanes v) noexcept {
  const size_t a = v[1] > v[0] ? 1 : 0, b = v[3] > v[2] ? 3 : 2;
  return v[b] > v[a] ? b : a;
}
inline size_t lowest_lane_index(Lanes v) noexcept {
  return highest_lane_index(-v);
}

/// Whole numbers of -128..127 -> bytes.
inline void store_codes(int8_t* p, Lanes v) noexcept {
  using Codes = int8_t __attribute__((vector_size(4)));
  const Codes codes = __builtin_convertvector(v, Codes);
  std::memcpy(p, &codes, sizeof(codes));
}

/// Nearest integer, ties to even, for |v| < 2^22: there, adding 1.5 * 2^23 leaves no bits below one.
inline Lanes round_lanes(Lanes v) noexcept {
  const Lanes shift = all_lanes(0x1.8p23f);
  return (v + shift) - shift;
}
inline float round_small(float v) noexcept {
  return (v + 0x1.8p23f) - 0x1.8p23f;
}

}  // namespace assay
