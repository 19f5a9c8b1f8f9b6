// The fast CPU evaluator: the arithmetic of docs/arithmetic.md with vector kernels, on all threads of a pool.
#pragma once
#include <memory>

#include "base/thread_pool.h"
#include "cpu/kernel_set.h"
#include "ops/ops.h"

namespace assay {

struct CpuOptions {
  /// Null: the best that runs here. A set with the BF16 dot uses it for weights that load() was given.
  const cpu::KernelSet* kernels = nullptr;
  /// How load() gets at a weight's bytes; null: from Weight::bytes.
  ReadWeight read;
  /// Of speed alone.
  cpu::Prefetch prefetch = cpu::best_prefetch();
};

/// `pool` outlives the result.
std::unique_ptr<Ops> make_cpu_ops(ThreadPool& pool, CpuOptions options = {});

}  // namespace assay
