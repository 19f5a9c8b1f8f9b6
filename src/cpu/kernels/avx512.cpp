// AVX-512 with VNNI.
// GCC 12 warns of the undefined operands that its own AVX-512 header uses on purpose (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include "cpu/kernel_set.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "base/cpu_flags.h"
#include "quant/codebooks.h"

namespace assay::cpu {
namespace {

#include "cpu/kernels/avx512.inc"
#include "cpu/kernels/body.inc"

}  // namespace

extern const KernelSet kernels_avx512;
constinit const KernelSet kernels_avx512 = make_kernel_set("avx512", kAvx2Fma | kAvx512Vnni);

}  // namespace assay::cpu
#endif
