// assay verify: this machine's kernels, and a model file, against what is known to be right.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "model/model.h"

namespace assay {

/// One kind of check, on one subject.
struct Check {
  std::string subject;  // "avx2", "decoders", "blk.0.attn_q.weight"
  std::string against;  // what it was compared with
  uint64_t n_cases = 0, n_values = 0;
  double seconds = 0;
  std::string skipped;              // why it did not run; empty: it did
  std::vector<std::string> faults;  // at most kMostFaults are told
  uint64_t n_faults = 0;

  static constexpr size_t kMostFaults = 20;
  void fault(std::string what) {
    if (n_faults++ < kMostFaults) faults.push_back(std::move(what));
  }
};

/// Gets each check when it is done; false ends the run.
using CheckSink = std::function<bool(const Check&)>;

/// Decoders against golden blocks; twin against exact within the bounds of bounds.h; every kernel set against
/// twin bit for bit, with one thread and with two. Everything random comes from `seed`. False: the sink ended
/// it.
bool verify_machine(uint64_t seed, const CheckSink& sink);

/// Every tensor of the file decoded in every way that there is, and a forward pass of a few tokens with every
/// backend in lockstep. False: the sink ended it. Throws MachineError.
bool verify_model(const Model& model, uint64_t seed, ThreadPool& pool, const CheckSink& sink);

/// How many faults the checks of verify_machine would notice.
struct MutationScore {
  uint64_t n_injected = 0, n_caught = 0;
  struct Equivalent {
    std::string name, reason;
  };
  std::vector<Equivalent> equivalents;  // change no result: in neither number
  std::vector<std::string> survivors;
  std::vector<std::string> skipped;  // kernel sets that do not run here
};
/// `progress` gets faults done and in all, and ends the run by false.
MutationScore score_mutants(uint64_t seed, const std::function<bool(size_t done, size_t total)>& progress);

}  // namespace assay
