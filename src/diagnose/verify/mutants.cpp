// verify --mutants: the checks of verify_machine against everything that could be wrong.
#include <fmt/format.h>

#include "diagnose/faults/fault.h"
#include "diagnose/verify/golden_blocks.h"
#include "diagnose/verify/kernel_faults.h"
#include "diagnose/verify/verify.h"

namespace assay {
namespace {

/// A golden sample's decoder, which golden blocks must find wrong.
struct DecoderMutant {
  const Fault* fault;
  const QuantType* faulty;
};

bool caught(const DecoderMutant& m) {
  return compare_with_golden(*m.faulty, DecodePath::dequantize) ||
         (m.faulty->integers && compare_with_golden(*m.faulty, DecodePath::integers));
}

bool caught(const KernelMutant& m, bool probe, std::span<const KernelCase> cases, ThreadPool& pool) {
  const cpu::KernelSet set = make_kernel_set(m, probe);
  for (const KernelCase& c : cases)
    if ((c.functions & m.fault->function) != 0 && (!m.type || c.type == m.type) && compare(c, set, pool))
      return true;
  return false;
}

}  // namespace

MutationScore score_mutants(uint64_t seed, const std::function<bool(size_t, size_t)>& progress) {
  ThreadPool pool(1);
  MutationScore score;
  std::vector<DecoderMutant> decoders;
  for (const Fault* fault : faults())
    if (const auto* decode = std::get_if<DecodeFault>(&fault->injection))
      for (const QuantType& type : decode->types) decoders.push_back({fault, &type});
  std::vector<KernelMutant> kernels;
  for (const cpu::KernelSet* set : cpu::kernel_sets()) {
    if (!cpu::runs_here(*set)) {
      score.skipped.push_back(fmt::format("{} kernels: this processor lacks the instructions", set->name));
      continue;
    }
    const std::vector<KernelMutant> some = kernel_mutants(*set);
    kernels.insert(kernels.end(), some.begin(), some.end());
  }
  const size_t total = decoders.size() + kernels.size();
  size_t done = 0;
  for (const DecoderMutant& m : decoders) {
    if (!progress(done++, total)) return score;
    ++score.n_injected;
    if (caught(m))
      ++score.n_caught;
    else
      score.survivors.push_back(fmt::format("decoder/{}/{}", m.faulty->name, m.fault->id));
  }
  const std::vector<KernelCase> cases = make_kernel_cases(seed, pool);
  for (const KernelMutant& m : kernels) {
    if (!progress(done++, total)) return score;
    if (caught(m, false, cases, pool)) {
      ++score.n_injected, ++score.n_caught;
    } else if (!m.fault->equivalent.empty()) {
      score.equivalents.push_back({m.name(), std::string(m.fault->equivalent)});
    } else if (m.fault->probe && !caught(m, true, cases, pool)) {
      score.equivalents.push_back({m.name(), "this kernel does not read what the fault takes away"});
    } else {
      ++score.n_injected;
      score.survivors.push_back(m.name());
    }
  }
  return score;
}

}  // namespace assay
