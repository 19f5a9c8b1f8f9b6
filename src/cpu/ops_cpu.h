// The fast CPU evaluator: the arithmetic of docs/arithmetic.md with vector kernels, on all threads of a pool.
#pragma once
#include <functional>
#include <memory>

#include "base/thread_pool.h"
#include "cpu/kernel_set.h"
#include "ops/ops.h"

namespace assay {

struct CpuOptions {
  /// Null: the best that runs here. A set with the BF16 dot uses it for weights that load() was given.
  const cpu::KernelSet* kernels = nullptr;
  /// Called after a weight was repacked: its bytes in the file will not be read again by products.
  std::function<void(const Weight&)> repacked;
};

/// `pool` outlives the result.
std::unique_ptr<Ops> make_cpu_ops(ThreadPool& pool, CpuOptions options = {});

}  // namespace assay
