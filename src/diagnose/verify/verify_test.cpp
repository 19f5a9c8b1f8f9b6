// verify's own checks: healthy kernels pass, whatever the seed; faulty ones do not.
#include <gtest/gtest.h>

#include "diagnose/verify/kernel_cases.h"

namespace assay {
namespace {

TEST(Verify, TwinStaysWithinItsBoundOfExact) {
  ThreadPool pool(2);
  for (uint64_t seed : {1, 2})
    for (const KernelCase& c : make_kernel_cases(seed, pool))
      if (c.packed)
        if (const auto fault = compare_with_exact(c, pool)) ADD_FAILURE() << "seed " << seed << ": " << fault->what;
}

TEST(Verify, EverySetEqualsTwin) {
  ThreadPool pool(2);
  for (const KernelCase& c : make_kernel_cases(3, pool))
    for (const cpu::KernelSet* set : cpu::kernel_sets())
      if (cpu::runs_here(*set))
        if (const auto m = compare(c, *set, pool))
          ADD_FAILURE() << set->name << " " << c.op << " " << c.shape << " token " << m->token << " row " << m->row
                        << ": " << m->expected << " against " << m->found;
}

}  // namespace
}  // namespace assay
