#include "cpu/limits.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>

#include "base/memory.h"

namespace assay::cpu {
namespace {

template <class Work>
double seconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}
template <class Work>
double best_seconds(int n_runs, const Work& work) {
  double best = seconds(work);
  for (int i = 1; i < n_runs; ++i) best = std::min(best, seconds(work));
  return best;
}

/// A chain of rotations, one cycle each.
uint64_t rotate_chain(size_t n) {
  uint64_t x = 0x9e3779b97f4a7c15;
  for (size_t i = 0; i < n; ++i) {
    x = std::rotl(x, 7);
    asm volatile("" : "+r"(x));
  }
  return x;
}

}  // namespace

Limits measure_limits(const KernelSet& kernels, ThreadPool& pool) {
  Limits limits;
  std::atomic<uint64_t> sink{0};  // results go somewhere, so that the work cannot be left out
  constexpr size_t kChain = 1 << 22, kRounds = 1 << 18;
  limits.clock_hertz = double(kChain) / best_seconds(5, [&] { sink += rotate_chain(kChain); });

  constexpr size_t kPieces = 900, kBytes = kPieces * kReadProbeBytes;
  const LargeBlock block(kBytes);
  const auto* const data = reinterpret_cast<const uint8_t*>(block.data());
  // Untouched pages are one page of zeros: write first.
  pool.run(kPieces,
           [&](size_t i) { std::fill_n(block.data() + i * kReadProbeBytes, kReadProbeBytes, std::byte(i)); });
  limits.read_bytes = double(kBytes) / best_seconds(6, [&] {
                        pool.run(kPieces, [&](size_t i) {
                          sink += uint64_t(kernels.probe_read(data + i * kReadProbeBytes));
                        });
                      });

  const double n = double(kRounds * kernels.probe_chains * pool.n_threads());
  limits.int8_ops =
      2 * 64 * n / best_seconds(6, [&] {
        pool.run(pool.n_threads(), [&](size_t) { sink += uint64_t(kernels.probe_dot(kRounds)); });
      });
  limits.float_ops =
      2 * 16 * n / best_seconds(6, [&] {
        pool.run(pool.n_threads(), [&](size_t) { sink += uint64_t(kernels.probe_fma(kRounds)); });
      });
  if (kernels.probe_bf16_dot)
    limits.bf16_ops =
        2 * 32 * n / best_seconds(6, [&] {
          pool.run(pool.n_threads(), [&](size_t) { sink += uint64_t(kernels.probe_bf16_dot(kRounds)); });
        });
  return limits;
}

}  // namespace assay::cpu
