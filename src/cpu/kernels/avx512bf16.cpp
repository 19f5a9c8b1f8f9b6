// The BF16 dot of AVX-512: the product of BF16 weights whose arithmetic is of its own (docs/arithmetic.md,
// BF16 dot). GCC 12 warns of the undefined operands that its own AVX-512 header uses on purpose (GCC bug
// 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include "cpu/kernels/bf16_dot.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "base/cpu_flags.h"
#include "cpu/kernel_set.h"
#include "quant/codebooks.h"

#pragma GCC diagnostic ignored "-Wunused-function"  // most of body.inc

namespace assay::cpu {
namespace {

#define ASSAY_SOME_KERNELS
#include "cpu/kernels/avx512.inc"
#include "cpu/kernels/body.inc"

/// Columns whose activations are rounded at a time: of kMaxTokens tokens they are 64 KiB, which the second
/// cache level holds. Half as many for the first level took 3 to 6 % longer on Zen 4.
constexpr size_t kPanel = 256;

/// acc + odd w * odd x, then + even w * even x, in each lane of two bf16.
inline F f_dot_bf16(F acc, I w, I x) {
  return {_mm512_dpbf16_ps(acc.v, reinterpret_cast<__m512bh>(w.v), reinterpret_cast<__m512bh>(x.v))};
}

/// Columns 2p and 2p + 1 of 16 rows, side by side in each lane; the odd one is zero where there is none.
inline I weight_pair(const uint8_t* column, bool both) {
  const __m512i both_columns =
      both ? _mm512_loadu_si512(column)
           : _mm512_zextsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(column)));
  alignas(64) static constexpr auto kInterleave = [] {
    struct {
      uint16_t v[32];
    } index{};
    for (int l = 0; l < 32; ++l) index.v[l] = uint16_t(l / 2 + (l % 2 ? 16 : 0));
    return index;
  }();
  return {_mm512_permutexvar_epi16(_mm512_load_si512(kInterleave.v), both_columns)};
}

/// out (n_cols rounded up to pairs): x as bf16; a last odd column is paired with zero.
void round_panel(const float* x, size_t n_cols, uint16_t* out) {
  size_t k = 0;
  for (; k + 32 <= n_cols; k += 32) {
    const __m512bh pair = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + k + 16), _mm512_loadu_ps(x + k));
    __builtin_memcpy(out + k, &pair, sizeof pair);
  }
  float left[32] = {};
  __builtin_memcpy(left, x + k, (n_cols - k) * sizeof(float));
  const __m512bh pair = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(left + 16), _mm512_loadu_ps(left));
  __builtin_memcpy(out + k, &pair, (n_cols - k + 1) / 2 * 4);
}

template <int kTiles, int kTokens>
ASSAY_INLINE void bf16_micro(const uint8_t* tiles, size_t tile_bytes, size_t n_cols,
                             const uint16_t (*x)[kPanel], F* acc, size_t acc_stride) {
  F sum[kTokens][kTiles];
  for (int t = 0; t < kTokens; ++t)
    for (int i = 0; i < kTiles; ++i) sum[t][i] = acc[size_t(t) * acc_stride + size_t(i)];
  const auto add_pair = [&](size_t k, bool both) ASSAY_LAMBDA_INLINE {
    I w[kTiles];
    for (int i = 0; i < kTiles; ++i) w[i] = weight_pair(tiles + size_t(i) * tile_bytes + 32 * k, both);
    for (int t = 0; t < kTokens; ++t) {
      const I acts = i_of(b_set4(x[t] + k));
      for (int i = 0; i < kTiles; ++i) sum[t][i] = f_dot_bf16(sum[t][i], w[i], acts);
    }
  };
  size_t k = 0;
  for (; k + 2 <= n_cols; k += 2) {
    if constexpr (kTokens == 1)
      for (int i = 0; i < kTiles; ++i)
        __builtin_prefetch(tiles + size_t(i) * tile_bytes + 32 * k + kNearPrefetchBytes);
    add_pair(k, true);
  }
  if (k < n_cols) add_pair(k, false);
  for (int t = 0; t < kTokens; ++t)
    for (int i = 0; i < kTiles; ++i) acc[size_t(t) * acc_stride + size_t(i)] = sum[t][i];
}
template <int kTiles>
void bf16_tiles(const TileJob& job, size_t tile) {
  alignas(64) uint16_t x[kMaxTokens][kPanel];
  F acc[kMaxTokens * kTiles];
  for (size_t i = 0; i < job.n_tokens * kTiles; ++i) acc[i] = f_zero();
  for (size_t k = 0; k < job.n_blocks; k += kPanel) {
    const size_t n_cols = job.n_blocks - k < kPanel ? job.n_blocks - k : kPanel;
    for (size_t t = 0; t < job.n_tokens; ++t)
      round_panel(static_cast<const float*>(job.rows[t]) + k, n_cols, x[t]);
    const uint8_t* const columns = job.tiles + tile * job.tile_bytes + 32 * k;
    size_t t = 0;
    const auto add = [&](auto n_tokens) ASSAY_LAMBDA_INLINE {
      constexpr int n = decltype(n_tokens)::value;
      for (; t + n <= job.n_tokens; t += n)
        bf16_micro<kTiles, n>(columns, job.tile_bytes, n_cols, x + t, acc + t * kTiles, kTiles);
    };
    add(Int < kTiles == 4 ? 6 : 8 > {});
    add(Int<2>{});
    add(Int<1>{});
  }
  for (size_t t = 0; t < job.n_tokens; ++t)
    for (size_t i = 0; i < kTiles; ++i) finish(job, tile + i, t, acc[t * kTiles + i]);
}

void product_bf16_dot(const TileJob& job) noexcept {
  size_t tile = 0;
  for (; tile + 4 <= job.n_tiles; tile += 4) bf16_tiles<4>(job, tile);
  for (; tile < job.n_tiles; ++tile) bf16_tiles<1>(job, tile);
}

/// n rounds of kProbeChains independent dots in registers: n * kProbeChains * 32 multiply-adds.
template <int... chain>
ASSAY_INLINE float bf16_chains(size_t n, Int<chain>...) {
  const I ones = i_set(0x3f803f80);  // sums grow by two a step: no subnormals, no infinity
  return f_tree(run_chains(
      n, [&](F acc) ASSAY_LAMBDA_INLINE { return f_dot_bf16(acc, ones, ones); },
      [](F a, F b) ASSAY_LAMBDA_INLINE { return f_add(a, b); }, f_set(float(chain))...));
}
float probe_bf16_dot(size_t n) noexcept {
  return with_ints<kProbeChains>([n](auto... chain) ASSAY_LAMBDA_INLINE { return bf16_chains(n, chain...); });
}

}  // namespace

extern const KernelExtension extension_avx512bf16;
constinit const KernelExtension extension_avx512bf16 = {"avx512bf16",
                                                        kAvx2Fma | kAvx512Vnni | kAvx512Bf16,
                                                        {{FormatBF16::kId, product_bf16_dot}},
                                                        probe_bf16_dot};

bool bf16_dot_is_as_specified() noexcept {
  // Two fused multiply-adds keep what two unfused ones would lose or overflow: 2^-120 + 2^-130 and -2^127 +
  // 2^64 * 2^64.
  const auto dot = [](float acc, uint32_t w, uint32_t x) {
    float lane[16];
    f_store(lane, f_dot_bf16(f_set(acc), i_set(int32_t(w)), i_set(int32_t(x))));
    return lane[0];
  };
  return dot(0x1p-120f, 0x1f000000, 0x1f000000) == 0x1.004p-120f &&
         dot(-0x1p127f, 0x5f800000, 0x5f800000) == 0x1p127f;
}

}  // namespace assay::cpu
#endif
