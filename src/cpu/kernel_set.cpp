#include "cpu/kernel_set.h"

#include <array>

#include "base/cpu_flags.h"
#include "cpu/kernels/bf16_dot.h"
#include "quant/table.h"

namespace assay::cpu {

#define ISA(name) extern const KernelSet kernels_##name;
#include "cpu/kernels/isa.inc"
#undef ISA

std::span<const KernelSet* const> kernel_sets() noexcept {
  static constexpr std::array kSets = {
#define ISA(name) &kernels_##name,
#include "cpu/kernels/isa.inc"
#undef ISA
  };
  return kSets;
}

bool runs_here(const KernelSet& set) noexcept {
  return (set.needs & ~cpu_flags()) == 0;
}

const KernelSet& best_kernel_set() noexcept {
  const KernelSet* best = kernel_sets().front();
  for (const KernelSet* set : kernel_sets())
    if (runs_here(*set)) best = set;
  return *best;
}

const KernelSet* bf16_kernel_set() noexcept {
#if defined(__x86_64__)
  constexpr uint32_t kNeeds = kAvx2Fma | kAvx512Vnni | kAvx512Bf16;
  static const KernelSet set = [] {
    KernelSet with_dot = best_kernel_set();
    with_dot.name = "avx512bf16";
    with_dot.needs |= kNeeds;
    with_dot.bf16_dot = true;
    with_dot.product[find_quant_type("BF16")->id] = product_bf16_dot;
    return with_dot;
  }();
  if (runs_here(set) && bf16_dot_is_as_specified()) return &set;
#endif
  return nullptr;
}

}  // namespace assay::cpu
