// What this machine can do at most, measured: the yardsticks of every benchmark.
#pragma once
#include "base/memory.h"
#include "base/thread_pool.h"
#include "cpu/kernel_set.h"

namespace assay::cpu {

struct Limits {
  double read_bytes = 0;   // per second, all threads streaming from memory
  double int8_ops = 0;     // per second, all threads; a multiply-add counts as two
  double float_ops = 0;    // the same in f32
  double bf16_ops = 0;     // the same by the BF16 dot; 0: the set does not use it
  double clock_hertz = 0;  // that one thread saw while measuring
};

/// Each limit the higher one of two.
Limits higher(const Limits& a, const Limits& b);

/// Measures as often as asked: a machine that is shared gives more at one moment than at the next. Holds 512
/// MiB.
class LimitMeter {
 public:
  /// Both outlive it. Throws MachineError where memory is too short.
  LimitMeter(const KernelSet& kernels, ThreadPool& pool);
  /// The best of several short runs each; about half a second in all.
  Limits measure();

 private:
  const KernelSet& kernels_;
  ThreadPool& pool_;
  LargeBlock block_;
};

}  // namespace assay::cpu
