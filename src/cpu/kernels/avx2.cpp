// AVX2 with FMA and F16C: two registers hold 16 lanes. The operations that body.inc is written in.
#include "cpu/kernel_set.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "base/cpu_flags.h"
#include "quant/codebooks.h"

namespace assay::cpu {
namespace {

struct F {
  __m256 a, b;
};  // 16 f32
struct I {
  __m256i a, b;
};  // 16 i32
struct B {
  __m256i a, b;
};  // 16 lanes of 4 bytes

inline F f_zero() {
  return {_mm256_setzero_ps(), _mm256_setzero_ps()};
}
inline F f_set(float x) {
  return {_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
inline F f_load(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
inline void f_store(float* p, F x) {
  _mm256_storeu_ps(p, x.a);
  _mm256_storeu_ps(p + 8, x.b);
}
inline F f_add(F x, F y) {
  return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
}
inline F f_sub(F x, F y) {
  return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)};
}
inline F f_mul(F x, F y) {
  return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}
inline F f_div(F x, F y) {
  return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)};
}
inline F f_fma(F x, F y, F z) {
  return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
inline F f_fnma(F x, F y, F z) {
  return {_mm256_fnmadd_ps(x.a, y.a, z.a), _mm256_fnmadd_ps(x.b, y.b, z.b)};
}
inline F f_max(F x, F y) {
  return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)};
}  // y where either is NaN
inline F f_min(F x, F y) {
  return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)};
}  // y where either is NaN
inline F f_abs(F x) {
  const __m256 mask = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  return {_mm256_and_ps(x.a, mask), _mm256_and_ps(x.b, mask)};
}
inline F f_nearest(F x) {
  constexpr int kMode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(x.a, kMode), _mm256_round_ps(x.b, kMode)};
}
/// p < q ? x : y
inline F f_if_less(F p, F q, F x, F y) {
  return {_mm256_blendv_ps(y.a, x.a, _mm256_cmp_ps(p.a, q.a, _CMP_LT_OQ)),
          _mm256_blendv_ps(y.b, x.b, _mm256_cmp_ps(p.b, q.b, _CMP_LT_OQ))};
}
inline F f_of(I x) {
  return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)};
}
inline I i_nearest(F x) {
  return {_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)};
}
inline F f_bits(I x) {
  return {_mm256_castsi256_ps(x.a), _mm256_castsi256_ps(x.b)};
}
inline I i_bits(F x) {
  return {_mm256_castps_si256(x.a), _mm256_castps_si256(x.b)};
}
inline F f_load_half(const void* p) {
  const auto* q = static_cast<const __m128i*>(p);
  return {_mm256_cvtph_ps(_mm_loadu_si128(q)), _mm256_cvtph_ps(_mm_loadu_si128(q + 1))};
}
/// The low 16 bits of each lane, packed.
inline __m128i low_halves(__m256i x) {
  const __m256i masked = _mm256_and_si256(x, _mm256_set1_epi32(0xffff));
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(masked, masked), 0x08);
  return _mm256_castsi256_si128(packed);
}
inline F f_half(I x) {
  return {_mm256_cvtph_ps(low_halves(x.a)), _mm256_cvtph_ps(low_halves(x.b))};
}
inline float half_rounded(float x) {
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtps_ph(_mm_set_ss(x), _MM_FROUND_TO_NEAREST_INT)));
}
inline float scalar_fma(float x, float y, float z) {
  return __builtin_fmaf(x, y, z);
}
inline float scalar_sqrt(float x) {
  return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x)));
}

inline I i_zero() {
  return {_mm256_setzero_si256(), _mm256_setzero_si256()};
}
inline I i_set(int32_t x) {
  return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
}
inline I i_load(const int32_t* p) {
  const auto* q = reinterpret_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(q), _mm256_loadu_si256(q + 1)};
}
inline void i_store(int32_t* p, I x) {
  auto* const q = reinterpret_cast<__m256i*>(p);
  _mm256_storeu_si256(q, x.a);
  _mm256_storeu_si256(q + 1, x.b);
}
inline I i_load_u16(const void* p) {
  const auto* q = static_cast<const __m128i*>(p);
  return {_mm256_cvtepu16_epi32(_mm_loadu_si128(q)), _mm256_cvtepu16_epi32(_mm_loadu_si128(q + 1))};
}
inline I i_load_u8(const void* p) {
  const __m128i bytes = _mm_loadu_si128(static_cast<const __m128i*>(p));
  return {_mm256_cvtepu8_epi32(bytes), _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8))};
}
inline I i_load_i8(const void* p) {
  const __m128i bytes = _mm_loadu_si128(static_cast<const __m128i*>(p));
  return {_mm256_cvtepi8_epi32(bytes), _mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8))};
}
inline I i_add(I x, I y) {
  return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)};
}
inline I i_sub(I x, I y) {
  return {_mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b)};
}
inline I i_mul(I x, I y) {
  return {_mm256_mullo_epi32(x.a, y.a), _mm256_mullo_epi32(x.b, y.b)};
}
inline I i_and(I x, I y) {
  return {_mm256_and_si256(x.a, y.a), _mm256_and_si256(x.b, y.b)};
}
inline I i_or(I x, I y) {
  return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)};
}
inline I i_max(I x, I y) {
  return {_mm256_max_epi32(x.a, y.a), _mm256_max_epi32(x.b, y.b)};
}
inline I i_min(I x, I y) {
  return {_mm256_min_epi32(x.a, y.a), _mm256_min_epi32(x.b, y.b)};
}
template <int n>
inline I i_shl(I x) {
  return {_mm256_slli_epi32(x.a, n), _mm256_slli_epi32(x.b, n)};
}
template <int n>
inline I i_shr(I x) {
  return {_mm256_srli_epi32(x.a, n), _mm256_srli_epi32(x.b, n)};
}
inline I i_shr(I x, int n) {
  const __m128i count = _mm_cvtsi32_si128(n);
  return {_mm256_srl_epi32(x.a, count), _mm256_srl_epi32(x.b, count)};
}
template <int n>
inline I i_sar(I x) {
  return {_mm256_srai_epi32(x.a, n), _mm256_srai_epi32(x.b, n)};
}
/// acc + x.lo16 * y.lo16 + x.hi16 * y.hi16 in each lane, signed.
inline I i_dot16(I acc, I x, I y) {
  return {_mm256_add_epi32(acc.a, _mm256_madd_epi16(x.a, y.a)),
          _mm256_add_epi32(acc.b, _mm256_madd_epi16(x.b, y.b))};
}
/// Codes -> 16 bytes, cut to int8 (values are in range).
inline void i_store_s8(int8_t* p, I x) {
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), 0xd8);
  const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}

inline B b_load(const void* p) {
  const auto* q = static_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(q), _mm256_loadu_si256(q + 1)};
}
inline B b_set4(const void* p) {  // 4 bytes to every lane
  int32_t x;
  __builtin_memcpy(&x, p, 4);
  return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
}
inline B b_fill(uint8_t x) {
  return {_mm256_set1_epi8(char(x)), _mm256_set1_epi8(char(x))};
}
inline B b_and(B x, B y) {
  return {_mm256_and_si256(x.a, y.a), _mm256_and_si256(x.b, y.b)};
}
inline B b_or(B x, B y) {
  return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)};
}
template <int n>
inline B b_shr(B x) {  // each byte, zeros in; bits of the neighbour byte are masked off
  const __m256i mask = _mm256_set1_epi8(char(0xff >> n));
  return {_mm256_and_si256(_mm256_srli_epi16(x.a, n), mask),
          _mm256_and_si256(_mm256_srli_epi16(x.b, n), mask)};
}
template <int n>
inline B b_shl(B x) {
  const __m256i mask = _mm256_set1_epi8(char(0xff << n));
  return {_mm256_and_si256(_mm256_slli_epi16(x.a, n), mask),
          _mm256_and_si256(_mm256_slli_epi16(x.b, n), mask)};
}
/// table[x] for bytes x in 0..15.
inline B b_lookup(const int8_t* table, B x) {
  const __m256i t = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
  return {_mm256_shuffle_epi8(t, x.a), _mm256_shuffle_epi8(t, x.b)};
}
inline I i_of(B x) {
  return {x.a, x.b};
}
inline B b_of(I x) {
  return {x.a, x.b};
}
template <int bit>
inline __m256i mirror(__m256i x, __m256i bits) {
  constexpr int kByte = bit / 8;
  const __m256i each = _mm256_set1_epi32(bit % 8 == 0 ? 0x08040201 : int(0x80402010));
  const __m256i spread = _mm256_shuffle_epi8(
      bits, _mm256_broadcastsi128_si256(_mm_set_epi32(0x01010101 * (12 + kByte), 0x01010101 * (8 + kByte),
                                                      0x01010101 * (4 + kByte), 0x01010101 * kByte)));
  const __m256i mask = _mm256_cmpeq_epi8(_mm256_and_si256(spread, each), each);
  return _mm256_blendv_epi8(x, _mm256_sub_epi8(_mm256_set1_epi8(char(0x80)), x), mask);
}
/// Where bit `bit` + i of a lane of `bits` is set, byte i of that lane becomes 128 - x; `bit` is a multiple
/// of 4.
template <int bit>
inline B b_mirror(B x, B bits) {
  return {mirror<bit>(x.a, bits.a), mirror<bit>(x.b, bits.b)};
}
template <int n>
inline __m256i trit(__m256i x) {
  constexpr int kPowers[] = {1, 3, 9, 27, 81};
  // The fraction that n digits leave, in the upper byte of 16 bits; three times that has the digit above
  // them.
  const __m256i even = _mm256_mullo_epi16(x, _mm256_set1_epi16(short(kPowers[n] << 8)));
  const __m256i odd = _mm256_mullo_epi16(_mm256_and_si256(x, _mm256_set1_epi16(short(0xff00))),
                                         _mm256_set1_epi16(kPowers[n]));
  const __m256i three = _mm256_set1_epi16(3);
  return _mm256_or_si256(_mm256_mulhi_epu16(even, three),
                         _mm256_slli_epi16(_mm256_mulhi_epu16(odd, three), 8));
}
/// Trit n of bytes in TQ1_0's code: the n-th digit after the point, in base 3, of byte / 256.
template <int n>
inline B b_trit(B x) {
  return {trit<n>(x.a), trit<n>(x.b)};
}

// What 16 registers hold the sums of, at two registers a sum.
inline constexpr int kTokensTogether = 2, kTilesTogether = 1;
inline constexpr int kFloatTokens = 6, kFloatTiles = 1;
inline constexpr int kProbeChains = 5;
template <class T>
inline void keep(T& x) {
  asm volatile("" : "+x"(x.a), "+x"(x.b));
}

inline constexpr int kSignedBias = 0;
inline B b_signed(B x) {
  return x;
}
inline __m256i add_quads(__m256i acc, __m256i pairs) {
  return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
/// acc + the sum of 4 products in each lane; codes 0..127, activations -127..127, so that no pair leaves
/// int16.
inline I i_dot_unsigned(I acc, B codes, B acts) {
  return {add_quads(acc.a, _mm256_maddubs_epi16(codes.a, acts.a)),
          add_quads(acc.b, _mm256_maddubs_epi16(codes.b, acts.b))};
}
/// The same for signed codes: their sign moves to the activations (|code| <= 128 and |act| <= 127 fit).
inline I i_dot_signed(I acc, B codes, B acts) {
  return {
      add_quads(acc.a, _mm256_maddubs_epi16(_mm256_abs_epi8(codes.a), _mm256_sign_epi8(acts.a, codes.a))),
      add_quads(acc.b, _mm256_maddubs_epi16(_mm256_abs_epi8(codes.b), _mm256_sign_epi8(acts.b, codes.b)))};
}

#include "cpu/kernels/body.inc"

}  // namespace

extern const KernelSet kernels_avx2;
constinit const KernelSet kernels_avx2 = make_kernel_set("avx2", kAvx2Fma);

}  // namespace assay::cpu
#endif
