// A fixed set of threads that share out the items of one job at a time.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <vector>

namespace assay {

/// Runs jobs of independent items on the calling thread and n_threads - 1 others. Each thread has a run of
/// neighbouring items of its own, which it takes one by one; when they are used up it helps with the other
/// threads'. So a thread reads one stream of memory, and one that loses its core holds back at most the item
/// it is on. Idle threads fetch what they will read next, spin briefly, then sleep. run() may be called by
/// one thread at a time and not from inside an item.
class ThreadPool {
 public:
  /// How a job is shared out. `ends`: the end of each thread's own run, n_threads() of them, rising, the last
  /// n_items; empty: equal runs. `ahead`: where each thread is likely to read in the job to come; empty: not
  /// known. A wrong address does no harm, not even one that is not mapped.
  struct Shares {
    std::span<const size_t> ends;
    std::span<const void* const> ahead;
  };

  explicit ThreadPool(size_t n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  size_t n_threads() const { return n_threads_; }

  /// Calls item(i) once for each i in [0, n_items), n_items < 2^32, in any order and on any thread; returns
  /// when all are done. `item` must not throw. Allocates nothing.
  template <class Item>
  void run(size_t n_items, const Item& item, const Shares& shares = {}) {
    dispatch(
        n_items, [](const void* context, size_t i) { (*static_cast<const Item*>(context))(i); }, &item,
        shares);
  }

  /// Threads worth starting here: the processors this process may use.
  static size_t default_threads();

 private:
  using Call = void (*)(const void* context, size_t item);
  /// A thread's own run of items. Both words hold the job's number in their upper half; in the lower one the
  /// next item and the end. One compare-and-swap claims an item of the job that a thread believes in, so a
  /// late thread can never take an item of a later job by mistake.
  struct alignas(64) Run {
    std::atomic<uint64_t> next{0}, end{0};
    std::atomic<const void*> ahead{nullptr};
  };
  void dispatch(size_t n_items, Call call, const void* context, const Shares& shares);
  void work_on(uint32_t epoch, size_t thread);
  size_t take_all(Run& run, uint32_t epoch);
  void worker(size_t thread);

  const size_t n_threads_;
  const std::unique_ptr<Run[]> runs_;  // (n_threads)
  // The job's number. Written last, so whoever sees it sees the rest of the job.
  alignas(64) std::atomic<uint32_t> epoch_{0};
  std::atomic<size_t> n_items_{0};
  std::atomic<Call> call_{nullptr};
  std::atomic<const void*> context_{nullptr};
  alignas(64) std::atomic<size_t> n_done_{0};
  alignas(64) std::atomic<uint32_t> n_sleeping_{0};
  std::atomic<uint32_t> wake_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::jthread> workers_;
};

}  // namespace assay
