#include "cpu/limits.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>

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

constexpr size_t kPieces = 900, kBytes = kPieces * kReadProbeBytes;  // far more than caches hold

}  // namespace

Limits higher(const Limits& a, const Limits& b) {
  return {std::max(a.read_bytes, b.read_bytes), std::max(a.int8_ops, b.int8_ops),
          std::max(a.float_ops, b.float_ops), std::max(a.bf16_ops, b.bf16_ops),
          std::max(a.clock_hertz, b.clock_hertz)};
}

LimitMeter::LimitMeter(const KernelSet& kernels, ThreadPool& pool)
    : kernels_(kernels), pool_(pool), block_(kBytes) {
  // Untouched pages are one page of zeros: write first.
  pool.run(kPieces, [&](size_t i) {
    std::fill_n(block_.data() + i * kReadProbeBytes, kReadProbeBytes, std::byte(i));
  });
}

Limits LimitMeter::measure() {
  Limits limits;
  std::atomic<uint64_t> sink{0};  // results go somewhere, so that the work cannot be left out
  constexpr size_t kChain = 1 << 22, kRounds = 1 << 18;
  limits.clock_hertz = double(kChain) / best_seconds(5, [&] { sink += rotate_chain(kChain); });

  const auto* const data = reinterpret_cast<const uint8_t*>(block_.data());
  for (const auto probe : kernels_.probe_read)
    limits.read_bytes = std::max(limits.read_bytes, double(kBytes) / best_seconds(6, [&] {
                                                      pool_.run(kPieces, [&](size_t i) {
                                                        sink += uint64_t(probe(data + i * kReadProbeBytes));
                                                      });
                                                    }));

  const double n = double(kRounds * kernels_.probe_chains * pool_.n_threads());
  limits.int8_ops =
      2 * 64 * n / best_seconds(6, [&] {
        pool_.run(pool_.n_threads(), [&](size_t) { sink += uint64_t(kernels_.probe_dot(kRounds)); });
      });
  limits.float_ops =
      2 * 16 * n / best_seconds(6, [&] {
        pool_.run(pool_.n_threads(), [&](size_t) { sink += uint64_t(kernels_.probe_fma(kRounds)); });
      });
  if (kernels_.probe_bf16_dot)
    limits.bf16_ops =
        2 * 32 * n / best_seconds(6, [&] {
          pool_.run(pool_.n_threads(), [&](size_t) { sink += uint64_t(kernels_.probe_bf16_dot(kRounds)); });
        });
  return limits;
}

}  // namespace assay::cpu
