// Plain C++: arrays hold 16 lanes. Complete, and right on every machine; the operations that body.inc is
// written in.
#include <cmath>

#include "base/half.h"
#include "cpu/kernel_set.h"
#include "quant/codebooks.h"

namespace assay::cpu {
namespace {

struct F {
  float v[16];
};
struct I {
  int32_t v[16];
};
struct B {
  uint8_t v[64];
};

// Results are built lane by lane; the compiler makes vectors of it where it can. Out of line: inlined a
// thousand times over, 16 lanes at a time, they take minutes to compile.
#define ASSAY_INLINE inline
#define ASSAY_LAMBDA_INLINE

template <class Lane>
inline F f_each(const Lane& lane) {
  F r;
  for (int l = 0; l < 16; ++l) r.v[l] = lane(l);
  return r;
}
template <class Lane>
inline I i_each(const Lane& lane) {
  I r;
  for (int l = 0; l < 16; ++l) r.v[l] = int32_t(lane(l));
  return r;
}
template <class Byte>
inline B b_each(const Byte& byte) {
  B r;
  for (int l = 0; l < 64; ++l) r.v[l] = uint8_t(byte(l));
  return r;
}
inline int32_t wrap(uint32_t x) {
  return int32_t(x);
}

[[gnu::noinline]] F f_zero() {
  return {};
}
[[gnu::noinline]] F f_set(float x) {
  return f_each([&](int) { return x; });
}
[[gnu::noinline]] F f_load(const float* p) {
  return f_each([&](int l) { return p[l]; });
}
inline void f_store(float* p, const F& a) {
  __builtin_memcpy(p, a.v, sizeof a.v);
}
[[gnu::noinline]] F f_add(const F& a, const F& b) {
  return f_each([&](int l) { return a.v[l] + b.v[l]; });
}
[[gnu::noinline]] F f_sub(const F& a, const F& b) {
  return f_each([&](int l) { return a.v[l] - b.v[l]; });
}
[[gnu::noinline]] F f_mul(const F& a, const F& b) {
  return f_each([&](int l) { return a.v[l] * b.v[l]; });
}
[[gnu::noinline]] F f_div(const F& a, const F& b) {
  return f_each([&](int l) { return a.v[l] / b.v[l]; });
}
[[gnu::noinline]] F f_fma(const F& a, const F& b, const F& c) {
  return f_each([&](int l) { return __builtin_fmaf(a.v[l], b.v[l], c.v[l]); });
}
[[gnu::noinline]] F f_fnma(const F& a, const F& b, const F& c) {
  return f_each([&](int l) { return __builtin_fmaf(-a.v[l], b.v[l], c.v[l]); });
}
[[gnu::noinline]] F f_max(const F& a, const F& b) {  // b where either is NaN
  return f_each([&](int l) { return a.v[l] > b.v[l] ? a.v[l] : b.v[l]; });
}
[[gnu::noinline]] F f_min(const F& a, const F& b) {
  return f_each([&](int l) { return a.v[l] < b.v[l] ? a.v[l] : b.v[l]; });
}
[[gnu::noinline]] F f_abs(const F& a) {
  return f_each([&](int l) { return __builtin_fabsf(a.v[l]); });
}
[[gnu::noinline]] F f_nearest(const F& a) {
  return f_each([&](int l) { return __builtin_nearbyintf(a.v[l]); });
}
[[gnu::noinline]] F f_if_less(const F& a, const F& b, const F& x, const F& y) {
  return f_each([&](int l) { return a.v[l] < b.v[l] ? x.v[l] : y.v[l]; });
}
[[gnu::noinline]] F f_of(const I& a) {
  return f_each([&](int l) { return float(a.v[l]); });
}
[[gnu::noinline]] I i_nearest(
    const F& a) {  // NaN and what int32 cannot hold give 0; callers never use such a lane
  return i_each([&](int l) {
    const float r = __builtin_nearbyintf(a.v[l]);
    return r > -2147483648.0f && r < 2147483648.0f ? int32_t(r) : 0;
  });
}
[[gnu::noinline]] F f_bits(const I& a) {
  F r;
  __builtin_memcpy(r.v, a.v, sizeof r.v);
  return r;
}
[[gnu::noinline]] I i_bits(const F& a) {
  I r;
  __builtin_memcpy(r.v, a.v, sizeof r.v);
  return r;
}
[[gnu::noinline]] F f_load_half(const void* p) {
  uint16_t h[16];
  __builtin_memcpy(h, p, sizeof h);
  return f_each([&](int l) { return half_to_float(h[l]); });
}
[[gnu::noinline]] F f_half(const I& a) {
  return f_each([&](int l) { return half_to_float(uint16_t(a.v[l] & 0xffff)); });
}
inline float half_rounded(float x) {
  return half_to_float(float_to_half(x));
}
inline float scalar_fma(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}
inline float scalar_sqrt(float a) {
  return __builtin_sqrtf(a);
}

[[gnu::noinline]] I i_zero() {
  return {};
}
[[gnu::noinline]] I i_set(int32_t x) {
  return i_each([&](int) { return x; });
}
[[gnu::noinline]] I i_load(const int32_t* p) {
  return i_each([&](int l) { return p[l]; });
}
inline void i_store(int32_t* p, const I& a) {
  __builtin_memcpy(p, a.v, sizeof a.v);
}
[[gnu::noinline]] I i_load_u16(const void* p) {
  uint16_t h[16];
  __builtin_memcpy(h, p, sizeof h);
  return i_each([&](int l) { return h[l]; });
}
[[gnu::noinline]] I i_load_u8(const void* p) {
  return i_each([&](int l) { return static_cast<const uint8_t*>(p)[l]; });
}
[[gnu::noinline]] I i_load_i8(const void* p) {
  return i_each([&](int l) { return static_cast<const int8_t*>(p)[l]; });
}
[[gnu::noinline]] I i_add(const I& a, const I& b) {
  return i_each([&](int l) { return wrap(uint32_t(a.v[l]) + uint32_t(b.v[l])); });
}
[[gnu::noinline]] I i_sub(const I& a, const I& b) {
  return i_each([&](int l) { return wrap(uint32_t(a.v[l]) - uint32_t(b.v[l])); });
}
[[gnu::noinline]] I i_mul(const I& a, const I& b) {
  return i_each([&](int l) { return wrap(uint32_t(a.v[l]) * uint32_t(b.v[l])); });
}
[[gnu::noinline]] I i_and(const I& a, const I& b) {
  return i_each([&](int l) { return a.v[l] & b.v[l]; });
}
[[gnu::noinline]] I i_or(const I& a, const I& b) {
  return i_each([&](int l) { return a.v[l] | b.v[l]; });
}
[[gnu::noinline]] I i_max(const I& a, const I& b) {
  return i_each([&](int l) { return a.v[l] > b.v[l] ? a.v[l] : b.v[l]; });
}
[[gnu::noinline]] I i_min(const I& a, const I& b) {
  return i_each([&](int l) { return a.v[l] < b.v[l] ? a.v[l] : b.v[l]; });
}
template <int n>
[[gnu::noinline]] I i_shl(const I& a) {
  return i_each([&](int l) { return wrap(uint32_t(a.v[l]) << n); });
}
template <int n>
[[gnu::noinline]] I i_shr(const I& a) {
  return i_each([&](int l) { return wrap(uint32_t(a.v[l]) >> n); });
}
[[gnu::noinline]] I i_shr(const I& a, int n) {
  return i_each([&](int l) { return wrap(uint32_t(a.v[l]) >> n); });
}
template <int n>
[[gnu::noinline]] I i_sar(const I& a) {
  return i_each([&](int l) { return a.v[l] >> n; });
}
[[gnu::noinline]] I i_dot16(const I& acc, const I& a, const I& b) {
  return i_each([&](int l) {
    const int32_t low = int32_t(int16_t(a.v[l])) * int16_t(b.v[l]), high = (a.v[l] >> 16) * (b.v[l] >> 16);
    return acc.v[l] + low + high;
  });
}
inline void i_store_s8(int8_t* p, const I& a) {
  for (int l = 0; l < 16; ++l) p[l] = int8_t(a.v[l]);
}

[[gnu::noinline]] B b_load(const void* p) {
  B r;
  __builtin_memcpy(r.v, p, sizeof r.v);
  return r;
}
[[gnu::noinline]] B b_set4(const void* p) {
  return b_each([&](int l) { return static_cast<const uint8_t*>(p)[l % 4]; });
}
[[gnu::noinline]] B b_fill(uint8_t x) {
  return b_each([&](int) { return x; });
}
[[gnu::noinline]] B b_and(const B& a, const B& b) {
  return b_each([&](int l) { return a.v[l] & b.v[l]; });
}
[[gnu::noinline]] B b_or(const B& a, const B& b) {
  return b_each([&](int l) { return a.v[l] | b.v[l]; });
}
template <int n>
[[gnu::noinline]] B b_shr(const B& a) {
  return b_each([&](int l) { return a.v[l] >> n; });
}
template <int n>
[[gnu::noinline]] B b_shl(const B& a) {
  return b_each([&](int l) { return a.v[l] << n; });
}
[[gnu::noinline]] B b_lookup(const int8_t* table, const B& a) {
  return b_each([&](int l) { return uint8_t(table[a.v[l]]); });
}
[[gnu::noinline]] I i_of(const B& a) {
  I r;
  __builtin_memcpy(r.v, a.v, sizeof r.v);
  return r;
}

[[gnu::noinline]] B b_of(const I& a) {
  B r;
  __builtin_memcpy(r.v, a.v, sizeof r.v);
  return r;
}
/// Where bit `bit` + i of a lane of `bits` is set, byte i of that lane becomes 128 - a; `bit` is a multiple
/// of 4.
template <int bit>
[[gnu::noinline]] B b_mirror(const B& a, const B& bits) {
  return b_each([&](int l) {
    const int of = bit + l % 4;
    return bits.v[l / 4 * 4 + of / 8] >> (of % 8) & 1 ? 128 - a.v[l] : a.v[l];
  });
}
/// Trit n of bytes in TQ1_0's code: the n-th digit after the point, in base 3, of byte / 256.
template <int n>
[[gnu::noinline]] B b_trit(const B& a) {
  constexpr uint8_t kPowers[] = {1, 3, 9, 27, 81};
  return b_each([&](int l) { return uint8_t(a.v[l] * kPowers[n]) * 3 >> 8; });
}

inline constexpr int kTokensTogether = 1, kTilesTogether = 1;
inline constexpr int kFloatTokens = 6, kFloatTiles = 1;
inline constexpr int kProbeChains = 2;
template <class T>
inline void keep(T& x) {
  asm volatile("" : "+m"(x));
}
inline constexpr int kSignedBias = 0;
[[gnu::noinline]] B b_signed(const B& a) {
  return a;
}
[[gnu::noinline]] I i_dot_unsigned(const I& acc, const B& codes, const B& acts) {
  return i_each([&](int l) {
    int32_t sum = acc.v[l];
    for (int i = 0; i < 4; ++i) sum += int32_t(codes.v[4 * l + i]) * int8_t(acts.v[4 * l + i]);
    return sum;
  });
}
[[gnu::noinline]] I i_dot_signed(const I& acc, const B& codes, const B& acts) {
  return i_each([&](int l) {
    int32_t sum = acc.v[l];
    for (int i = 0; i < 4; ++i) sum += int32_t(int8_t(codes.v[4 * l + i])) * int8_t(acts.v[4 * l + i]);
    return sum;
  });
}

#include "cpu/kernels/body.inc"

}  // namespace

extern const KernelSet kernels_generic;
constinit const KernelSet kernels_generic = make_kernel_set("generic", 0);

}  // namespace assay::cpu
