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

/// What an idle thread fetches ahead: as much as comes in the time between two products, and fits its second
/// cache level with room to spare.
constexpr size_t kAheadBytes = size_t(256) << 10;

/// Asks for the lines at `ahead`, a few at a time, until all are asked for or `ready`.
template <class Ready>
void fetch(const void* ahead, const Ready& ready) {
  constexpr size_t kLine = 64, kStep = 16 * kLine;
  if (ahead == nullptr) return;
  const char* const begin = static_cast<const char*>(ahead);
  for (size_t step = 0; step < kAheadBytes && !ready(); step += kStep)
    for (size_t line = step; line < step + kStep; line += kLine) __builtin_prefetch(begin + line, 0, 2);
}

constexpr uint64_t word(uint32_t epoch, size_t item) {
  return uint64_t(epoch) << 32 | item;
}
constexpr uint32_t epoch_of(uint64_t word) {
  return uint32_t(word >> 32);
}
constexpr uint32_t item_of(uint64_t word) {
  return uint32_t(word);
}

}  // namespace

size_t ThreadPool::default_threads() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return size_t(std::max(1, CPU_COUNT(&set)));
#endif
  return std::max(1u, std::thread::hardware_concurrency());
}

ThreadPool::ThreadPool(size_t n_threads)
    : n_threads_(std::max<size_t>(1, n_threads)), runs_(std::make_unique<Run[]>(n_threads_)) {
  for (size_t i = 1; i < n_threads_; ++i) workers_.emplace_back([this, i] { worker(i); });
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  ++wake_;
  wake_.notify_all();
}

void ThreadPool::dispatch(size_t n_items, Call call, const void* context, const Shares& shares) {
  if (n_items == 0) return;
  if (n_threads_ == 1 || n_items == 1) {
    for (size_t i = 0; i < n_items; ++i) call(context, i);
    return;
  }
  const uint32_t epoch = epoch_.load(std::memory_order_relaxed) + 1;
  n_items_.store(n_items, std::memory_order_release);
  call_.store(call, std::memory_order_release);
  context_.store(context, std::memory_order_release);
  n_done_.store(0, std::memory_order_relaxed);
  // The end before the next item: a late thread that still holds the last job's next item, which was the end
  // of its run, finds either that end or one that is not of its job. Release here and acquire in take_all()
  // make whoever sees the new next item see the fields above too.
  for (size_t t = 0, begin = 0; t < n_threads_; ++t) {
    const size_t end = shares.ends.empty() ? n_items * (t + 1) / n_threads_ : shares.ends[t];
    runs_[t].ahead.store(shares.ahead.empty() ? nullptr : shares.ahead[t], std::memory_order_relaxed);
    runs_[t].end.store(word(epoch, end), std::memory_order_release);
    runs_[t].next.store(word(epoch, begin), std::memory_order_release);
    begin = end;
  }
  epoch_.store(epoch);
  if (n_sleeping_.load() > 0) {
    ++wake_;
    wake_.notify_all();
  }
  work_on(epoch, 0);
  const auto all_done = [&] { return n_done_.load(std::memory_order_acquire) == n_items; };
  fetch(runs_[0].ahead.load(std::memory_order_relaxed), all_done);
  while (!spin_until(all_done)) {
    const size_t n_done = n_done_.load(std::memory_order_acquire);
    if (n_done != n_items) n_done_.wait(n_done, std::memory_order_acquire);
  }
}

/// Does the items of a run, as many as are left of the job; returns how many it did.
size_t ThreadPool::take_all(Run& run, uint32_t epoch) {
  size_t n_mine = 0;
  uint64_t next = run.next.load(std::memory_order_acquire);
  for (;;) {
    const uint64_t end = run.end.load(std::memory_order_acquire);
    const Call call = call_.load(std::memory_order_acquire);
    const void* const context = context_.load(std::memory_order_acquire);
    if (epoch_of(next) != epoch || epoch_of(end) != epoch || item_of(next) >= item_of(end)) return n_mine;
    if (!run.next.compare_exchange_weak(next, next + 1, std::memory_order_acq_rel)) continue;
    call(context, item_of(next));
    ++n_mine;
    next = run.next.load(std::memory_order_acquire);
  }
}

void ThreadPool::work_on(uint32_t epoch, size_t thread) {
  const size_t n_items = n_items_.load(std::memory_order_acquire);
  size_t n_mine = 0;  // counted at the end: until then the job, and so what it calls, stays
  for (size_t i = 0; i < n_threads_; ++i) n_mine += take_all(runs_[(thread + i) % n_threads_], epoch);
  if (n_mine != 0 && n_done_.fetch_add(n_mine, std::memory_order_acq_rel) + n_mine == n_items)
    n_done_.notify_all();
}

void ThreadPool::worker(size_t thread) {
  uint32_t seen = 0;
  for (;;) {
    const auto news = [&] { return epoch_.load() != seen || stop_; };
    if (!spin_until(news)) {
      // Registered as sleeping before the last look, so that a job started in between either is seen or wakes
      // us.
      const uint32_t wake = wake_.load();
      ++n_sleeping_;
      if (!news()) wake_.wait(wake);
      --n_sleeping_;
    }
    if (stop_) return;
    const uint32_t epoch = epoch_.load(std::memory_order_acquire);
    if (epoch == seen) continue;
    seen = epoch;
    work_on(epoch, thread);
    fetch(runs_[thread].ahead.load(std::memory_order_relaxed),
          [&] { return epoch_.load(std::memory_order_acquire) != seen; });
  }
}

}  // namespace assay
