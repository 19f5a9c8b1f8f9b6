#include "cpu/kernel_set.h"

#include <array>

#include "base/cpu_flags.h"
#include "cpu/kernels/bf16_dot.h"

namespace assay::cpu {

#define ISA(name) extern const KernelSet kernels_##name;
#define EXTENDED(name, base) extern const KernelExtension extension_##name;
#include "cpu/kernels/isa.inc"
#undef ISA
#undef EXTENDED
#if defined(__x86_64__)
extern const KernelExtension extension_avx512bf16;
#endif

namespace {

[[maybe_unused]] KernelSet extended(KernelSet set, const KernelExtension& extension) noexcept {
  set.name = extension.name;
  set.needs |= extension.needs;
  for (const KernelExtension::Product& p : extension.products)
    if (p.product) set.product[p.quant_id] = p.product;
  set.probe_bf16_dot = extension.probe_bf16_dot;
  return set;
}

}  // namespace

std::span<const KernelSet* const> kernel_sets() noexcept {
#define ISA(name)
#define EXTENDED(name, base) \
  static const KernelSet kernels_##name = extended(kernels_##base, extension_##name);
#include "cpu/kernels/isa.inc"
#undef ISA
#undef EXTENDED
#define ISA(name) &kernels_##name,
#define EXTENDED(name, base) &kernels_##name,
  static const std::array kSets = {
#include "cpu/kernels/isa.inc"
  };
#undef ISA
#undef EXTENDED
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
  static const KernelSet set = extended(best_kernel_set(), extension_avx512bf16);
  if (runs_here(set) && bf16_dot_is_as_specified()) return &set;
#endif
  return nullptr;
}

Prefetch best_prefetch() noexcept {
  return amd_family() == 26 ? Prefetch::bursts : Prefetch::steady;
}

}  // namespace assay::cpu
