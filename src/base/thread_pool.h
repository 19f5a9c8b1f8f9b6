// A fixed set of threads that share out the items of one job at a time.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace assay {

/// Runs jobs of independent items on the calling thread and n_threads - 1 others. Items are handed out one by
/// one, so a thread that loses its core holds back at most the item it is on. Idle threads spin briefly, then
/// sleep. run() may be called by one thread at a time and not from inside an item.
class ThreadPool {
 public:
  explicit ThreadPool(size_t n_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  size_t n_threads() const { return workers_.size() + 1; }

  /// Calls item(i) once for each i in [0, n_items), in any order and on any thread; returns when all are
  /// done. `item` must not throw. Allocates nothing.
  template <class Item>
  void run(size_t n_items, const Item& item) {
    dispatch(
        n_items, [](const void* context, size_t i) { (*static_cast<const Item*>(context))(i); }, &item);
  }

  /// Threads worth starting here: the processors this process may use.
  static size_t default_threads();

 private:
  using Call = void (*)(const void* context, size_t item);
  void dispatch(size_t n_items, Call call, const void* context);
  void work_on(uint32_t epoch);
  void worker();

  // `ticket_` is the job's number in its upper half and the next item in its lower: one compare-and-swap
  // claims an item of the job a thread believes in, so a late thread can never take an item of a later job by
  // mistake.
  alignas(64) std::atomic<uint64_t> ticket_{0};
  alignas(64) std::atomic<size_t> n_done_{0};
  alignas(64) std::atomic<uint32_t> n_sleeping_{0};
  std::atomic<size_t> n_items_{0};
  std::atomic<Call> call_{nullptr};
  std::atomic<const void*> context_{nullptr};
  std::atomic<uint32_t> wake_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::jthread> workers_;
};

}  // namespace assay
