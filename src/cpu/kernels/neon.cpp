// AArch64 Advanced SIMD with the dot product extension: four registers hold 16 lanes. The operations that
// body.inc is written in.
#include "cpu/kernel_set.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#include "base/cpu_flags.h"
#include "quant/codebooks.h"

namespace assay::cpu {
namespace {

// Inlined at once, so that a value of four registers is never an object in memory: saves a third of the time
// to compile.
#define ASSAY_INLINE inline __attribute__((always_inline))
#define ASSAY_LAMBDA_INLINE __attribute__((always_inline))

struct F {
  float32x4_t a, b, c, d;
};  // 16 f32
struct I {
  int32x4_t a, b, c, d;
};  // 16 i32
struct B {
  uint8x16_t a, b, c, d;
};  // 16 lanes of 4 bytes

/// The four registers of a result: f of those of the arguments.
template <class Result, class Fn, class... Args>
ASSAY_INLINE Result each(const Fn& f, Args... x) {
  return {f(x.a...), f(x.b...), f(x.c...), f(x.d...)};
}
/// n bytes at a distance: register i of a result is load(p + i * n).
template <class Result, size_t n, class Fn>
ASSAY_INLINE Result load_each(const void* p, const Fn& load) {
  const auto* const q = static_cast<const uint8_t*>(p);
  return {load(q), load(q + n), load(q + 2 * n), load(q + 3 * n)};
}
ASSAY_INLINE uint32x4_t words(int32x4_t x) {
  return vreinterpretq_u32_s32(x);
}
ASSAY_INLINE int32x4_t signed_words(uint32x4_t x) {
  return vreinterpretq_s32_u32(x);
}

ASSAY_INLINE F f_set(float x) {
  const float32x4_t v = vdupq_n_f32(x);
  return {v, v, v, v};
}
ASSAY_INLINE F f_zero() {
  return f_set(0);
}
ASSAY_INLINE F f_load(const float* p) {
  return {vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
}
ASSAY_INLINE void f_store(float* p, F x) {
  vst1q_f32(p, x.a);
  vst1q_f32(p + 4, x.b);
  vst1q_f32(p + 8, x.c);
  vst1q_f32(p + 12, x.d);
}
ASSAY_INLINE F f_add(F x, F y) {
  return each<F>([](auto p, auto q) ASSAY_LAMBDA_INLINE { return vaddq_f32(p, q); }, x, y);
}
ASSAY_INLINE F f_sub(F x, F y) {
  return each<F>([](auto p, auto q) ASSAY_LAMBDA_INLINE { return vsubq_f32(p, q); }, x, y);
}
ASSAY_INLINE F f_mul(F x, F y) {
  return each<F>([](auto p, auto q) ASSAY_LAMBDA_INLINE { return vmulq_f32(p, q); }, x, y);
}
ASSAY_INLINE F f_div(F x, F y) {
  return each<F>([](auto p, auto q) ASSAY_LAMBDA_INLINE { return vdivq_f32(p, q); }, x, y);
}
ASSAY_INLINE F f_fma(F x, F y, F z) {
  return each<F>([](auto p, auto q, auto r) ASSAY_LAMBDA_INLINE { return vfmaq_f32(r, p, q); }, x, y, z);
}
ASSAY_INLINE F f_fnma(F x, F y, F z) {  // z - x * y
  return each<F>([](auto p, auto q, auto r) ASSAY_LAMBDA_INLINE { return vfmsq_f32(r, p, q); }, x, y, z);
}
// y where either is NaN: comparison and choice, since the instructions for min and max return the NaN.
ASSAY_INLINE F f_max(F x, F y) {
  return each<F>([](auto p, auto q) ASSAY_LAMBDA_INLINE { return vbslq_f32(vcgtq_f32(p, q), p, q); }, x, y);
}
ASSAY_INLINE F f_min(F x, F y) {
  return each<F>([](auto p, auto q) ASSAY_LAMBDA_INLINE { return vbslq_f32(vcltq_f32(p, q), p, q); }, x, y);
}
ASSAY_INLINE F f_abs(F x) {
  return each<F>([](auto p) ASSAY_LAMBDA_INLINE { return vabsq_f32(p); }, x);
}
ASSAY_INLINE F f_nearest(F x) {  // ties to even
  return each<F>([](auto p) ASSAY_LAMBDA_INLINE { return vrndnq_f32(p); }, x);
}
/// p < q ? x : y
ASSAY_INLINE F f_if_less(F p, F q, F x, F y) {
  return each<F>([](auto s, auto t, auto u, auto v)
                     ASSAY_LAMBDA_INLINE { return vbslq_f32(vcltq_f32(s, t), u, v); },
                 p, q, x, y);
}
ASSAY_INLINE F f_of(I x) {
  return each<F>([](auto p) ASSAY_LAMBDA_INLINE { return vcvtq_f32_s32(p); }, x);
}
ASSAY_INLINE I i_nearest(F x) {
  return each<I>([](auto p) ASSAY_LAMBDA_INLINE { return vcvtnq_s32_f32(p); }, x);
}
ASSAY_INLINE F f_bits(I x) {
  return each<F>([](auto p) ASSAY_LAMBDA_INLINE { return vreinterpretq_f32_s32(p); }, x);
}
ASSAY_INLINE I i_bits(F x) {
  return each<I>([](auto p) ASSAY_LAMBDA_INLINE { return vreinterpretq_s32_f32(p); }, x);
}
ASSAY_INLINE float32x4_t from_half(uint16x4_t bits) {
  return vcvt_f32_f16(vreinterpret_f16_u16(bits));
}
ASSAY_INLINE uint16x4_t load_u16(const uint8_t* p) {
  return vreinterpret_u16_u8(vld1_u8(p));
}
ASSAY_INLINE F f_load_half(const void* p) {
  return load_each<F, 8>(p, [](const uint8_t* q) ASSAY_LAMBDA_INLINE { return from_half(load_u16(q)); });
}
/// From the low 16 bits of each lane.
ASSAY_INLINE F f_half(I x) {
  return each<F>([](auto p) ASSAY_LAMBDA_INLINE { return from_half(vmovn_u32(words(p))); }, x);
}
inline float half_rounded(float x) {
  return float(__fp16(x));
}
inline float scalar_fma(float x, float y, float z) {
  return __builtin_fmaf(x, y, z);
}
inline float scalar_sqrt(float x) {
  return __builtin_sqrtf(x);
}

ASSAY_INLINE I i_set(int32_t x) {
  const int32x4_t v = vdupq_n_s32(x);
  return {v, v, v, v};
}
ASSAY_INLINE I i_zero() {
  return i_set(0);
}
ASSAY_INLINE I i_load(const int32_t* p) {
  return {vld1q_s32(p), vld1q_s32(p + 4), vld1q_s32(p + 8), vld1q_s32(p + 12)};
}
ASSAY_INLINE void i_store(int32_t* p, I x) {
  vst1q_s32(p, x.a);
  vst1q_s32(p + 4, x.b);
  vst1q_s32(p + 8, x.c);
  vst1q_s32(p + 12, x.d);
}
ASSAY_INLINE I i_load_u16(const void* p) {
  return load_each<I, 8>(
      p, [](const uint8_t* q) ASSAY_LAMBDA_INLINE { return signed_words(vmovl_u16(load_u16(q))); });
}
ASSAY_INLINE I i_load_u8(const void* p) {
  const uint8x16_t bytes = vld1q_u8(static_cast<const uint8_t*>(p));
  const uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_high_u8(bytes);
  return {signed_words(vmovl_u16(vget_low_u16(low))), signed_words(vmovl_high_u16(low)),
          signed_words(vmovl_u16(vget_low_u16(high))), signed_words(vmovl_high_u16(high))};
}
ASSAY_INLINE I i_load_i8(const void* p) {
  const int8x16_t bytes = vld1q_s8(static_cast<const int8_t*>(p));
  const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
  return {vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low), vmovl_s16(vget_low_s16(high)),
          vmovl_high_s16(high)};
}
ASSAY_INLINE I i_add(I x, I y) {
  return each<I>([](auto p, auto q) ASSAY_LAMBDA_INLINE { return vaddq_s32(p, q); }, x, y);
}
ASSAY_INLINE I i_sub(I x, I y) {
  return each<I>([](auto p, auto q) ASSAY_LAMBDA_INLINE { return vsubq_s32(p, q); }, x, y);
}
ASSAY_INLINE I i_mul(I x, I y) {
  return each<I>([](auto p, auto q) ASSAY_LAMBDA_INLINE { return vmulq_s32(p, q); }, x, y);
}
ASSAY_INLINE I i_and(I x, I y) {
  return each<I>([](auto p, auto q) ASSAY_LAMBDA_INLINE { return vandq_s32(p, q); }, x, y);
}
ASSAY_INLINE I i_or(I x, I y) {
  return each<I>([](auto p, auto q) ASSAY_LAMBDA_INLINE { return vorrq_s32(p, q); }, x, y);
}
ASSAY_INLINE I i_max(I x, I y) {
  return each<I>([](auto p, auto q) ASSAY_LAMBDA_INLINE { return vmaxq_s32(p, q); }, x, y);
}
ASSAY_INLINE I i_min(I x, I y) {
  return each<I>([](auto p, auto q) ASSAY_LAMBDA_INLINE { return vminq_s32(p, q); }, x, y);
}
// Shifts to the right by an immediate begin at 1.
template <int n>
ASSAY_INLINE I i_shl(I x) {
  return each<I>([](auto p) ASSAY_LAMBDA_INLINE { return vshlq_n_s32(p, n); }, x);
}
template <int n>
ASSAY_INLINE I i_shr(I x) {
  if constexpr (n == 0) return x;
  return each<I>([](auto p) ASSAY_LAMBDA_INLINE { return signed_words(vshrq_n_u32(words(p), n ? n : 1)); },
                 x);
}
ASSAY_INLINE I i_shr(I x, int n) {
  const int32x4_t left = vdupq_n_s32(-n);
  return each<I>([left](auto p) ASSAY_LAMBDA_INLINE { return signed_words(vshlq_u32(words(p), left)); }, x);
}
template <int n>
ASSAY_INLINE I i_sar(I x) {
  if constexpr (n == 0) return x;
  return each<I>([](auto p) ASSAY_LAMBDA_INLINE { return vshrq_n_s32(p, n ? n : 1); }, x);
}
/// acc + x.lo16 * y.lo16 + x.hi16 * y.hi16 in each lane, signed.
ASSAY_INLINE I i_dot16(I acc, I x, I y) {
  return each<I>(
      [](auto s, auto p, auto q) ASSAY_LAMBDA_INLINE {
        const int16x8_t u = vreinterpretq_s16_s32(p), v = vreinterpretq_s16_s32(q);
        return vaddq_s32(s, vpaddq_s32(vmull_s16(vget_low_s16(u), vget_low_s16(v)), vmull_high_s16(u, v)));
      },
      acc, x, y);
}
/// Codes -> 16 bytes, cut to int8 (values are in range).
ASSAY_INLINE void i_store_s8(int8_t* p, I x) {
  const int16x8_t low = vmovn_high_s32(vmovn_s32(x.a), x.b), high = vmovn_high_s32(vmovn_s32(x.c), x.d);
  vst1q_s8(p, vmovn_high_s16(vmovn_s16(low), high));
}

ASSAY_INLINE B b_load(const void* p) {
  return load_each<B, 16>(p, [](const uint8_t* q) ASSAY_LAMBDA_INLINE { return vld1q_u8(q); });
}
ASSAY_INLINE B b_set4(const void* p) {  // 4 bytes to every lane
  uint32_t x;
  __builtin_memcpy(&x, p, 4);
  const uint8x16_t v = vreinterpretq_u8_u32(vdupq_n_u32(x));
  return {v, v, v, v};
}
ASSAY_INLINE B b_fill(uint8_t x) {
  const uint8x16_t v = vdupq_n_u8(x);
  return {v, v, v, v};
}
ASSAY_INLINE B b_and(B x, B y) {
  return each<B>([](auto p, auto q) ASSAY_LAMBDA_INLINE { return vandq_u8(p, q); }, x, y);
}
ASSAY_INLINE B b_or(B x, B y) {
  return each<B>([](auto p, auto q) ASSAY_LAMBDA_INLINE { return vorrq_u8(p, q); }, x, y);
}
template <int n>
ASSAY_INLINE B b_shr(B x) {  // each byte, zeros in
  if constexpr (n == 0) return x;
  return each<B>([](auto p) ASSAY_LAMBDA_INLINE { return vshrq_n_u8(p, n ? n : 1); }, x);
}
template <int n>
ASSAY_INLINE B b_shl(B x) {
  return each<B>([](auto p) ASSAY_LAMBDA_INLINE { return vshlq_n_u8(p, n); }, x);
}
/// table[x] for bytes x in 0..15.
ASSAY_INLINE B b_lookup(const int8_t* table, B x) {
  const uint8x16_t t = vreinterpretq_u8_s8(vld1q_s8(table));
  return each<B>([t](auto p) ASSAY_LAMBDA_INLINE { return vqtbl1q_u8(t, p); }, x);
}
ASSAY_INLINE I i_of(B x) {
  return each<I>([](auto p) ASSAY_LAMBDA_INLINE { return vreinterpretq_s32_u8(p); }, x);
}
ASSAY_INLINE B b_of(I x) {
  return each<B>([](auto p) ASSAY_LAMBDA_INLINE { return vreinterpretq_u8_s32(p); }, x);
}
/// Where bit `bit` + i of a lane of `bits` is set, byte i of that lane becomes 128 - x; `bit` is a multiple
/// of 4.
template <int bit>
ASSAY_INLINE B b_mirror(B x, B bits) {
  constexpr uint32_t kByte = 0x01010101u * (bit / 8);
  const uint32_t bytes[4] = {kByte, kByte + 0x04040404u, kByte + 0x08080808u, kByte + 0x0c0c0c0cu};
  const uint8x16_t spread = vreinterpretq_u8_u32(vld1q_u32(bytes));
  const uint8x16_t each_bit = vreinterpretq_u8_u32(vdupq_n_u32(bit % 8 == 0 ? 0x08040201u : 0x80402010u));
  return each<B>(
      [=](auto p, auto q) ASSAY_LAMBDA_INLINE {
        return vbslq_u8(vtstq_u8(vqtbl1q_u8(q, spread), each_bit), vsubq_u8(vdupq_n_u8(128), p), p);
      },
      x, bits);
}
/// Trit n of bytes in TQ1_0's code: the n-th digit after the point, in base 3, of byte / 256.
template <int n>
ASSAY_INLINE B b_trit(B x) {
  constexpr uint8_t kPowers[] = {1, 3, 9, 27, 81};
  const uint8x16_t power = vdupq_n_u8(kPowers[n]);
  return each<B>(
      [power](auto p) ASSAY_LAMBDA_INLINE {
        const uint8x16_t fraction = vmulq_u8(p, power);
        // Comparisons give -1: digits 1 and 2 begin at 86 / 256 and 171 / 256.
        return vsubq_u8(vsubq_u8(vdupq_n_u8(0), vcgeq_u8(fraction, vdupq_n_u8(86))),
                        vcgeq_u8(fraction, vdupq_n_u8(171)));
      },
      x);
}

// What 32 registers hold the sums of, at four registers a sum.
inline constexpr int kTokensTogether = 2, kTilesTogether = 1;
inline constexpr int kFloatTokens = 6, kFloatTiles = 1;
inline constexpr int kProbeChains = 6;
template <class T>
inline void keep(T& x) {
  asm volatile("" : "+w"(x.a), "+w"(x.b), "+w"(x.c), "+w"(x.d));
}

// sdot multiplies signed by signed bytes: codes 0..127 are the same either way.
inline constexpr int kSignedBias = 0;
ASSAY_INLINE B b_signed(B x) {
  return x;
}
/// acc + the sum of 4 products in each lane.
ASSAY_INLINE I i_dot_signed(I acc, B codes, B acts) {
  return each<I>(
      [](auto s, auto p, auto q)
          ASSAY_LAMBDA_INLINE { return vdotq_s32(s, vreinterpretq_s8_u8(p), vreinterpretq_s8_u8(q)); },
      acc, codes, acts);
}
/// The same for codes 0..127.
ASSAY_INLINE I i_dot_unsigned(I acc, B codes, B acts) {
  return i_dot_signed(acc, codes, acts);
}

#include "cpu/kernels/body.inc"

}  // namespace

extern const KernelSet kernels_neon;
constinit const KernelSet kernels_neon = make_kernel_set("neon", kNeonDot);

}  // namespace assay::cpu
#endif
