#include "base/thread_pool.h"

#include <algorithm>
#include <chrono>
#if defined(__linux__)
#include <sched.h>
#endif

namespace assay {
namespace {

// Long enough to bridge the serial steps between two products, short enough not to heat an idle machine.
constexpr auto kSpin = std::chrono::microseconds(60);

inline void pause_cpu() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Spins until `ready` or the spin time is over; true when ready.
template <class Ready>
bool spin_until(const Ready& ready) {
  const auto deadline = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 64; ++i) {
      if (ready()) return true;
      pause_cpu();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return false;
}

constexpr uint32_t epoch_of(uint64_t ticket) {
  return uint32_t(ticket >> 32);
}
constexpr uint32_t item_of(uint64_t ticket) {
  return uint32_t(ticket);
}

}  // namespace

size_t ThreadPool::default_threads() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return size_t(std::max(1, CPU_COUNT(&set)));
#endif
  return std::max(1u, std::thread::hardware_concurrency());
}

ThreadPool::ThreadPool(size_t n_threads) {
  for (size_t i = 1; i < n_threads; ++i) workers_.emplace_back([this] { worker(); });
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  ++wake_;
  wake_.notify_all();
}

void ThreadPool::dispatch(size_t n_items, Call call, const void* context) {
  if (n_items == 0) return;
  if (workers_.empty() || n_items == 1) {
    for (size_t i = 0; i < n_items; ++i) call(context, i);
    return;
  }
  const uint32_t epoch = epoch_of(ticket_.load(std::memory_order_relaxed)) + 1;
  // The last job's ticket is closed first: a late thread that reads the new job's size must fail to claim
  // with the old ticket. Release here and acquire in work_on() make whoever sees a new field see the closed
  // ticket too.
  ticket_.store(uint64_t(epoch - 1) << 32 | UINT32_MAX, std::memory_order_relaxed);
  n_items_.store(n_items, std::memory_order_release);
  call_.store(call, std::memory_order_release);
  context_.store(context, std::memory_order_release);
  n_done_.store(0, std::memory_order_relaxed);
  ticket_.store(uint64_t(epoch) << 32);
  if (n_sleeping_.load() > 0) {
    ++wake_;
    wake_.notify_all();
  }
  work_on(epoch);
  const auto all_done = [&] { return n_done_.load(std::memory_order_acquire) == n_items; };
  while (!spin_until(all_done)) {
    const size_t n_done = n_done_.load(std::memory_order_acquire);
    if (n_done != n_items) n_done_.wait(n_done, std::memory_order_acquire);
  }
}

void ThreadPool::work_on(uint32_t epoch) {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  size_t n_mine = 0, n_items;  // counted at the end: until then the job, and so n_items, stays
  for (;;) {
    n_items = n_items_.load(std::memory_order_acquire);
    const Call call = call_.load(std::memory_order_acquire);
    const void* const context = context_.load(std::memory_order_acquire);
    if (epoch_of(ticket) != epoch || item_of(ticket) >= n_items) break;
    if (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel)) continue;
    call(context, item_of(ticket));
    ++n_mine;
    ticket = ticket_.load(std::memory_order_acquire);
  }
  if (n_mine != 0 && n_done_.fetch_add(n_mine, std::memory_order_acq_rel) + n_mine == n_items)
    n_done_.notify_all();
}

void ThreadPool::worker() {
  uint32_t seen = 0;
  for (;;) {
    const auto news = [&] { return epoch_of(ticket_.load(std::memory_order_acquire)) != seen || stop_; };
    if (!spin_until(news)) {
      // Registered as sleeping before the last look, so that a job started in between either is seen or wakes
      // us.
      const uint32_t wake = wake_.load();
      ++n_sleeping_;
      if (!news()) wake_.wait(wake);
      --n_sleeping_;
    }
    if (stop_) return;
    const uint32_t epoch = epoch_of(ticket_.load(std::memory_order_acquire));
    if (epoch == seen) continue;
    seen = epoch;
    work_on(epoch);
  }
}

}  // namespace assay
