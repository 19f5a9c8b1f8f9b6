// The greedy walk against all choices there are, and what must hold of any.
#include "quantize/allocate.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

namespace assay {
namespace {

using Items = std::vector<std::vector<StorageOption>>;

Items arbitrary_items() {
  const auto n_items = *rc::gen::inRange<size_t>(1, 6);
  Items items(n_items);
  for (auto& item : items) {
    const auto n_options = *rc::gen::inRange<size_t>(1, 5);
    for (size_t i = 0; i < n_options; ++i)
      item.push_back({*rc::gen::inRange<uint64_t>(1, 1000), double(*rc::gen::inRange(0, 1000)) / 100});
  }
  return items;
}

StorageOption total(const Items& items, const std::vector<size_t>& chosen) {
  StorageOption sum;
  for (size_t i = 0; i < items.size(); ++i) {
    sum.n_bytes += items[i][chosen[i]].n_bytes;
    sum.cost += items[i][chosen[i]].cost;
  }
  return sum;
}

/// Calls visit(total) for every choice.
template <class Visit>
void all_choices(const Items& items, const Visit& visit) {
  std::vector<size_t> chosen(items.size());
  for (;;) {
    visit(total(items, chosen));
    size_t i = 0;
    while (i < items.size() && ++chosen[i] == items[i].size()) chosen[i++] = 0;
    if (i == items.size()) return;
  }
}

double largest_step(const Items& items) {
  double largest = 0;
  for (const auto& item : items)
    for (const StorageOption& a : item)
      for (const StorageOption& b : item) largest = std::max(largest, std::abs(a.cost - b.cost));
  return largest;
}

RC_GTEST_PROP(Allocate, KeepsTheSizeAndComesNearTheBest, ()) {
  const Items items = arbitrary_items();
  const auto max_bytes = *rc::gen::inRange<uint64_t>(1, 5000);
  uint64_t least_bytes = UINT64_MAX;
  double least_cost = INFINITY;
  all_choices(items, [&](const StorageOption& t) {
    least_bytes = std::min(least_bytes, t.n_bytes);
    if (t.n_bytes <= max_bytes) least_cost = std::min(least_cost, t.cost);
  });
  const StorageOption t = total(items, allocate_bytes(items, max_bytes));
  RC_ASSERT(t.n_bytes <= std::max(max_bytes, least_bytes));
  if (least_bytes <= max_bytes) RC_ASSERT(t.cost <= least_cost + largest_step(items) + 1e-9);
}

RC_GTEST_PROP(Allocate, ReachesTheCostThatCanBeReached, ()) {
  const Items items = arbitrary_items();
  const double max_cost = double(*rc::gen::inRange(0, 4000)) / 100;
  double least_cost = INFINITY;
  all_choices(items, [&](const StorageOption& t) { least_cost = std::min(least_cost, t.cost); });
  const StorageOption t = total(items, allocate_cost(items, max_cost));
  RC_ASSERT(t.cost <= std::max(max_cost, least_cost) + 1e-9);
  // More bytes never buy a choice that costs more.
  const StorageOption better = total(items, allocate_cost(items, max_cost / 2));
  RC_ASSERT(better.n_bytes >= t.n_bytes);
}

TEST(Allocate, SpendsWhereItSavesMost) {
  const Items items = {{{10, 5}, {20, 4}, {30, 0}}, {{10, 9}, {20, 1}}, {{10, 1}, {11, 1}, {9, 2}}};
  EXPECT_EQ(allocate_bytes(items, 29), (std::vector<size_t>{0, 0, 2}));
  EXPECT_EQ(allocate_bytes(items, 30), (std::vector<size_t>{0, 0, 0}));
  EXPECT_EQ(allocate_bytes(items, 40), (std::vector<size_t>{0, 1, 0}));
  EXPECT_EQ(allocate_bytes(items, 60),
            (std::vector<size_t>{2, 1, 0}));  // straight to 30: 20 is above the hull
  EXPECT_EQ(allocate_cost(items, 16), (std::vector<size_t>{0, 0, 2}));
  EXPECT_EQ(allocate_cost(items, 2), (std::vector<size_t>{2, 1, 0}));
}

}  // namespace
}  // namespace assay
