// The nearest entry of a codebook grid, exactly: the entry of least total cost when every value has a cost
// per level.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <vector>

namespace assay {

/// A grid of n_dims values an entry, each one of n_levels. An entry is split into two halves, a half's values
/// being the digits of its pattern, first lowest. The cost of an entry is the sum over its halves, so the
/// search visits only entries whose first half leaves room for the cheapest second half.
template <size_t n_dims, size_t n_levels>
class GridSearch {
 public:
  static constexpr size_t kHalf = n_dims / 2;
  static constexpr size_t kPatterns = [] {
    size_t n = 1;
    for (size_t j = 0; j < kHalf; ++j) n *= n_levels;
    return n;
  }();
  using Costs = float[n_levels][n_dims];

  /// The grid of `entries` (codebooks.h), whose values are `levels`.
  template <class Entry, size_t n_entries>
  GridSearch(const std::array<Entry, n_entries>& entries, const std::array<int8_t, n_levels>& levels) {
    index_.fill(-1);
    for (size_t k = 0; k < n_entries; ++k) {
      size_t pattern[2] = {};
      for (size_t j = n_dims; j-- > 0;) {
        const auto value = int8_t(entries[k] >> (8 * j));
        const auto level = size_t(std::find(levels.begin(), levels.end(), value) - levels.begin());
        pattern[j / kHalf] = pattern[j / kHalf] * n_levels + level;
      }
      index_[pattern[0] * kPatterns + pattern[1]] = int16_t(k);
    }
    for (size_t p = 0; p < kPatterns; ++p) {
      first_[p] = uint16_t(seconds_.size());
      for (size_t second = 0; second < kPatterns; ++second)
        if (index_[p * kPatterns + second] >= 0) seconds_.push_back(uint8_t(second));
    }
    first_[kPatterns] = uint16_t(seconds_.size());
  }

  /// Index of the entry of least sum cost[level of value j][j]. A value's costs fall to their least and rise
  /// again, as squared distances from ascending levels do.
  uint16_t nearest(const Costs& cost) const noexcept {
    int cheapest[n_dims] = {};
    for (size_t level = 0; level + 1 < n_levels; ++level)
      for (size_t j = 0; j < n_dims; ++j) cheapest[j] += cost[level + 1][j] < cost[level][j];
    size_t pattern[2] = {};
    for (size_t j = n_dims; j-- > 0;)
      pattern[j / kHalf] = pattern[j / kHalf] * n_levels + size_t(cheapest[j]);
    const int16_t exact = index_[pattern[0] * kPatterns + pattern[1]];
    return exact >= 0 ? uint16_t(exact) : search(cost, pattern[0], pattern[1]);
  }

 private:
  uint16_t search(const Costs& cost, size_t cheapest_first, size_t cheapest_second) const noexcept {
    float firsts[kPatterns], seconds[kPatterns];
    add_up(cost, 0, firsts);
    add_up(cost, kHalf, seconds);
    const float least_second = seconds[cheapest_second];
    float best = std::numeric_limits<float>::infinity();
    size_t best_at = 0;
    auto visit = [&](size_t p) {
      for (size_t k = first_[p]; k < first_[p + 1]; ++k) {
        const float total = firsts[p] + seconds[seconds_[k]];
        if (total < best) {
          best = total;
          best_at = p * kPatterns + seconds_[k];
        }
      }
    };
    visit(cheapest_first);
    for (size_t p = 0; p < kPatterns; ++p)
      if (firsts[p] + least_second < best) visit(p);
    return uint16_t(index_[best_at]);
  }

  /// The cost of every pattern of the half that starts at value `first`: level by level, each level's
  /// patterns are the ones of the values before, dearer by that level.
  template <size_t j = 0, size_t n = 1>
  static void add_up(const Costs& cost, size_t first, float* sums) noexcept {
    if constexpr (j == 0) sums[0] = 0;
    if constexpr (j < kHalf) {
      for (size_t level = n_levels; level-- > 0;)
        for (size_t k = 0; k < n; ++k) sums[level * n + k] = sums[k] + cost[level][first + j];
      add_up<j + 1, n * n_levels>(cost, first, sums);
    }
  }

  std::array<int16_t, kPatterns * kPatterns> index_;  // by pair of patterns; -1: no entry
  std::array<uint16_t, kPatterns + 1> first_;         // where a first pattern's second patterns start
  std::vector<uint8_t> seconds_;
};

}  // namespace assay
