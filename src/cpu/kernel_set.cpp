#include "cpu/kernel_set.h"

#include <array>

#include "base/cpu_flags.h"

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

}  // namespace assay::cpu
