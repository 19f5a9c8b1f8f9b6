// Kernels gone wrong, for the question how much verify would notice: the list, and kernel sets that have one
// of them.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cpu/kernel_set.h"
#include "diagnose/verify/kernel_cases.h"

namespace assay {

/// A small change of one function of a kernel set, as kernels have really had it.
struct KernelFault {
  std::string_view id;
  KernelFunction function;   // which one
  std::string_view change;   // what is done, and what should be
  std::string_view symptom;  // what a user of the kernel sees
  /// Puts the faulty function in place of the one in `set`, which for products is the type's.
  void (*install)(cpu::KernelSet& set, uint32_t type);
  /// Types that it can touch, for products; null: all.
  bool (*touches)(const QuantType& type) = nullptr;
  /// Fills what the fault takes away with other numbers: a kernel that shows no difference then does not read
  /// it, and for that kernel the fault is none. Null: there is no such thing.
  void (*probe)(cpu::KernelSet& set, uint32_t type) = nullptr;
  /// Why it changes no result of any kernel; empty: it does.
  std::string_view equivalent = {};
};

/// The lists of kernel_faults.cpp (products) and op_faults.cpp (everything else), in this order.
std::vector<const KernelFault*> kernel_faults();

/// One fault in one set, for one type where the function serves types.
struct KernelMutant {
  const KernelFault* fault;
  const cpu::KernelSet* healthy;
  const QuantType* type;  // null: the function serves no types
  std::string name() const;
};
std::vector<KernelMutant> kernel_mutants(const cpu::KernelSet& set);

/// The healthy set with the mutant's fault. Kernels are plain functions without a context: what the faulty
/// one calls is one variable of the process, so only the set made last may run.
cpu::KernelSet make_kernel_set(const KernelMutant& mutant, bool probe = false);

/// What the faulty function replaces, for the set made last.
struct ReplacedKernel {
  const cpu::KernelSet* set = nullptr;
  uint32_t type = 0;
};
const ReplacedKernel& replaced_kernel() noexcept;

}  // namespace assay
