// Every item once, whatever the counts; many short jobs in a row; threads that come late.
#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>

namespace assay {
namespace {

TEST(ThreadPool, EveryItemIsDoneOnce) {
  for (const size_t n_threads : {1, 2, 3, 8}) {
    ThreadPool pool(n_threads);
    EXPECT_EQ(pool.n_threads(), n_threads);
    for (const size_t n_items : {0, 1, 2, 7, 100, 5000}) {
      std::vector<std::atomic<int>> done(n_items);
      pool.run(n_items, [&](size_t i) { ++done[i]; });
      for (const std::atomic<int>& d : done) ASSERT_EQ(d, 1);
    }
  }
}

TEST(ThreadPool, ManyShortJobsNeverMixTheirItems) {
  ThreadPool pool(3);
  std::vector<size_t> seen(16);
  for (size_t job = 1; job <= 20000; ++job) {
    // Plain writes: a thread that took an item of another job would be a race, and the sum would be wrong.
    pool.run(seen.size(), [&, job](size_t i) { seen[i] = job; });
    ASSERT_EQ(std::accumulate(seen.begin(), seen.end(), size_t(0)), job * seen.size());
  }
}

TEST(ThreadPool, JobsOfChangingSizesKeepToTheirOwnItems) {
  // A thread that is late for a small job must not claim an item of the larger one that follows.
  for (const size_t n_threads : {2, 4}) {
    ThreadPool pool(n_threads);
    std::atomic<int> count[64];
    for (size_t job = 0; job < 100000; ++job) {
      const size_t n_items = job % 2 ? 2 + job % 5 : 20 + job % 40;
      for (size_t i = 0; i < n_items; ++i) count[i] = 0;
      pool.run(n_items, [&](size_t i) { ++count[i]; });
      for (size_t i = 0; i < n_items; ++i) ASSERT_EQ(count[i], 1) << "job " << job << " item " << i;
    }
  }
}

TEST(ThreadPool, SharesMayBeOfAnySizeAndLieAheadAnywhere) {
  ThreadPool pool(3);
  std::vector<int> done(200);
  const int ahead = 0;
  const void* const addresses[] = {&ahead, nullptr,
                                   reinterpret_cast<const void*>(uintptr_t(64))};  // not mapped
  for (size_t job = 0; job < 20000; ++job) {
    const size_t n_items = 1 + job % done.size(), a = job * 7 % (n_items + 1), b = job * 13 % (n_items + 1);
    const size_t ends[] = {std::min(a, b), std::max(a, b), n_items};
    std::fill_n(done.begin(), n_items, 0);
    pool.run(n_items, [&](size_t i) { ++done[i]; }, {ends, addresses});
    for (size_t i = 0; i < n_items; ++i) ASSERT_EQ(done[i], 1) << "job " << job << " item " << i;
  }
}

TEST(ThreadPool, AThreadThatIsHeldUpHoldsUpOneItemOnly) {
  // All items are the other thread's, which cannot end its first before the rest is done by this one.
  ThreadPool pool(2);
  constexpr size_t kItems = 50;
  const size_t ends[] = {0, kItems};
  for (int job = 0; job < 100; ++job) {
    std::atomic<size_t> n_done{0};
    const std::thread::id caller = std::this_thread::get_id();
    pool.run(kItems,
             [&](size_t) {
               if (std::this_thread::get_id() != caller)
                 while (n_done < kItems - 1) std::this_thread::yield();
               ++n_done;
             },
             {ends, {}});
    EXPECT_EQ(n_done, kItems);
  }
}

TEST(ThreadPool, SleepersWakeForLaterJobs) {
  ThreadPool pool(2);
  std::atomic<size_t> done{0};
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // longer than threads spin
    pool.run(64, [&](size_t) { ++done; });
  }
  EXPECT_EQ(done, 5u * 64);
}

}  // namespace
}  // namespace assay
