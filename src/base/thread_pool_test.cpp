// Every item once, whatever the counts; many short jobs in a row; threads that come late.
#include "base/thread_pool.h"

#include <gtest/gtest.h>

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
