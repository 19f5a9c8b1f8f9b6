// verify's own checks: healthy kernels pass, whatever the seed; faulty ones do not.
#include <gtest/gtest.h>

#include "diagnose/verify/kernel_faults.h"

namespace assay {
namespace {

TEST(Verify, TwinStaysWithinItsBoundOfExact) {
  ThreadPool pool(2);
  for (uint64_t seed : {1, 2})
    for (const KernelCase& c : make_kernel_cases(seed, pool))
      if (c.packed)
        if (const auto fault = compare_with_exact(c, pool))
          ADD_FAILURE() << "seed " << seed << ": " << fault->what;
}

TEST(Verify, EverySetEqualsTwin) {
  ThreadPool pool(2);
  for (const KernelCase& c : make_kernel_cases(3, pool))
    for (const cpu::KernelSet* set : cpu::kernel_sets())
      if (cpu::runs_here(*set))
        if (const auto m = compare(c, *set, pool))
          ADD_FAILURE() << set->name << " " << c.op << " " << c.shape << " token " << m->token << " row "
                        << m->row << ": " << m->expected << " against " << m->found;
}

TEST(Verify, TmpMutants) {
  ThreadPool pool(1);
  const std::vector<KernelCase> cases = make_kernel_cases(3, pool);
  size_t n = 0, caught = 0, unread = 0;
  for (const cpu::KernelSet* set : cpu::kernel_sets())
    if (cpu::runs_here(*set))
      for (const KernelMutant& m : kernel_mutants(*set)) {
        const auto seen = [&](bool probe) {
          const cpu::KernelSet faulty = make_kernel_set(m, probe);
          for (const KernelCase& c : cases)
            if ((!m.type || c.type == m.type) && (c.functions & m.fault->function) &&
                compare(c, faulty, pool))
              return true;
          return false;
        };
        ++n;
        if (seen(false))
          ++caught;
        else if (m.fault->probe && !seen(true))
          ++unread;
        else
          std::cout << "survives: " << m.name() << "\n";
      }
  std::cout << n << " caught " << caught << " unread " << unread << "\n";
}

}  // namespace
}  // namespace assay
