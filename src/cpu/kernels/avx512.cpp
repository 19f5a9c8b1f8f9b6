// AVX-512 with VNNI: one register holds 16 lanes. The operations that body.inc is written in.
// GCC 12 warns of the undefined operands that its own AVX-512 header uses on purpose (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include "cpu/kernel_set.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "base/cpu_flags.h"

namespace assay::cpu {
namespace {

struct F {
  __m512 v;
};  // 16 f32
struct I {
  __m512i v;
};  // 16 i32
struct B {
  __m512i v;
};  // 16 lanes of 4 bytes

inline F f_zero() {
  return {_mm512_setzero_ps()};
}
inline F f_set(float x) {
  return {_mm512_set1_ps(x)};
}
inline F f_load(const float* p) {
  return {_mm512_loadu_ps(p)};
}
inline void f_store(float* p, F a) {
  _mm512_storeu_ps(p, a.v);
}
inline F f_add(F a, F b) {
  return {_mm512_add_ps(a.v, b.v)};
}
inline F f_sub(F a, F b) {
  return {_mm512_sub_ps(a.v, b.v)};
}
inline F f_mul(F a, F b) {
  return {_mm512_mul_ps(a.v, b.v)};
}
inline F f_div(F a, F b) {
  return {_mm512_div_ps(a.v, b.v)};
}
inline F f_fma(F a, F b, F c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
inline F f_fnma(F a, F b, F c) {
  return {_mm512_fnmadd_ps(a.v, b.v, c.v)};
}  // c - a * b
inline F f_max(F a, F b) {
  return {_mm512_max_ps(a.v, b.v)};
}  // b where either is NaN
inline F f_min(F a, F b) {
  return {_mm512_min_ps(a.v, b.v)};
}  // b where either is NaN
inline F f_abs(F a) {
  return {_mm512_abs_ps(a.v)};
}
inline F f_nearest(F a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
/// a < b ? x : y
inline F f_if_less(F a, F b, F x, F y) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), y.v, x.v)};
}
inline F f_of(I a) {
  return {_mm512_cvtepi32_ps(a.v)};
}
inline I i_nearest(F a) {
  return {_mm512_cvtps_epi32(a.v)};
}
inline F f_bits(I a) {
  return {_mm512_castsi512_ps(a.v)};
}
inline I i_bits(F a) {
  return {_mm512_castps_si512(a.v)};
}
inline F f_load_half(const void* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)))};
}
/// From the low 16 bits of each lane.
inline F f_half(I a) {
  return {_mm512_cvtph_ps(_mm512_cvtepi32_epi16(a.v))};
}
inline float half_rounded(float x) {
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtps_ph(_mm_set_ss(x), _MM_FROUND_TO_NEAREST_INT)));
}
inline float scalar_fma(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}
inline float scalar_sqrt(float a) {
  return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(a)));
}

inline I i_zero() {
  return {_mm512_setzero_si512()};
}
inline I i_set(int32_t x) {
  return {_mm512_set1_epi32(x)};
}
inline I i_load(const int32_t* p) {
  return {_mm512_loadu_si512(p)};
}
inline I i_load_u16(const void* p) {
  return {_mm512_cvtepu16_epi32(_mm256_loadu_si256(static_cast<const __m256i*>(p)))};
}
inline I i_load_u8(const void* p) {
  return {_mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p)))};
}
inline I i_add(I a, I b) {
  return {_mm512_add_epi32(a.v, b.v)};
}
inline I i_sub(I a, I b) {
  return {_mm512_sub_epi32(a.v, b.v)};
}
inline I i_mul(I a, I b) {
  return {_mm512_mullo_epi32(a.v, b.v)};
}
inline I i_and(I a, I b) {
  return {_mm512_and_si512(a.v, b.v)};
}
inline I i_or(I a, I b) {
  return {_mm512_or_si512(a.v, b.v)};
}
inline I i_max(I a, I b) {
  return {_mm512_max_epi32(a.v, b.v)};
}
inline I i_min(I a, I b) {
  return {_mm512_min_epi32(a.v, b.v)};
}
template <int n>
inline I i_shl(I a) {
  return {_mm512_slli_epi32(a.v, n)};
}
template <int n>
inline I i_shr(I a) {
  return {_mm512_srli_epi32(a.v, n)};
}
template <int n>
inline I i_sar(I a) {
  return {_mm512_srai_epi32(a.v, n)};
}
/// acc + a.lo16 * b.lo16 + a.hi16 * b.hi16 in each lane, signed.
inline I i_dot16(I acc, I a, I b) {
  return {_mm512_dpwssd_epi32(acc.v, a.v, b.v)};
}
/// Codes -> 16 bytes, cut to int8 (values are in range).
inline void i_store_s8(int8_t* p, I a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
}

inline B b_load(const void* p) {
  return {_mm512_loadu_si512(p)};
}
inline B b_set4(const void* p) {  // 4 bytes to every lane
  int32_t x;
  __builtin_memcpy(&x, p, 4);
  return {_mm512_set1_epi32(x)};
}
inline B b_fill(uint8_t x) {
  return {_mm512_set1_epi8(char(x))};
}
inline B b_and(B a, B b) {
  return {_mm512_and_si512(a.v, b.v)};
}
inline B b_or(B a, B b) {
  return {_mm512_or_si512(a.v, b.v)};
}
template <int n>
inline B b_shr(B a) {  // each byte, zeros in; bits of the neighbour byte are masked off
  return {_mm512_and_si512(_mm512_srli_epi16(a.v, n), _mm512_set1_epi8(char(0xff >> n)))};
}
template <int n>
inline B b_shl(B a) {
  return {_mm512_and_si512(_mm512_slli_epi16(a.v, n), _mm512_set1_epi8(char(0xff << n)))};
}
/// table[a] for bytes a in 0..15.
inline B b_lookup(const int8_t* table, B a) {
  return {_mm512_shuffle_epi8(
      _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))), a.v)};
}
inline I i_of(B a) {
  return {a.v};
}

/// Registers for the codes of tiles that share each load of activations: half of the 32.
inline constexpr int kCodeRegisters = 16;
inline constexpr int kProbeChains = 16;
template <class T>
inline void keep(T& x) {
  asm volatile("" : "+v"(x.v));
}

// vpdpbusd multiplies unsigned by signed bytes: signed codes get 128 added, and the sum is put right through
// the activations' own sum.
inline constexpr int kSignedBias = 128;
inline B b_signed(B a) {
  return {_mm512_xor_si512(a.v, _mm512_set1_epi8(char(0x80)))};
}
/// acc + the sum of 4 products in each lane; codes 0..127, activations -127..127.
inline I i_dot_unsigned(I acc, B codes, B acts) {
  return {_mm512_dpbusd_epi32(acc.v, codes.v, acts.v)};
}
/// The same for codes out of b_signed(); short of kSignedBias * sum of acts.
inline I i_dot_signed(I acc, B codes, B acts) {
  return {_mm512_dpbusd_epi32(acc.v, codes.v, acts.v)};
}

#include "cpu/kernels/body.inc"

}  // namespace

extern const KernelSet kernels_avx512;
constinit const KernelSet kernels_avx512 = make_kernel_set("avx512", kAvx2Fma | kAvx512Vnni);

}  // namespace assay::cpu
#endif
