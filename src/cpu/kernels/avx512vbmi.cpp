// AVX-512 with VBMI: grids of the codebook types are looked up in registers.
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

#pragma GCC diagnostic ignored "-Wunused-function"  // most of body.inc

namespace assay::cpu {
namespace {

#define ASSAY_SOME_KERNELS
#include "cpu/kernels/avx512.inc"
#include "cpu/kernels/body.inc"

template <class T>
constexpr KernelExtension::Product replaced() {
  return {T::kId, product_q8_k<T>};
}

}  // namespace

extern const KernelExtension extension_avx512vbmi;
constinit const KernelExtension extension_avx512vbmi = {
    "avx512vbmi",
    kAvx512Vbmi,
    {replaced<FormatIQ2_XXS>(), replaced<FormatIQ2_XS>(), replaced<FormatIQ2_S>(), replaced<FormatIQ3_XXS>(),
     replaced<FormatIQ3_S>()}};

}  // namespace assay::cpu
#endif
