// Merging neighbours, best pair first, until none is left: the loop that sentencepiece and BPE share.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace assay {

/// A stretch of text that is one unit so far.
struct Symbol {
  uint32_t offset = 0, n_bytes = 0;  // n_bytes 0: merged into another
  int32_t id = kNoToken;             // of the unit; kNoToken when it is none
  int32_t previous = -1, next = -1;
};

struct Merge {
  uint32_t cost = 0;  // the lowest goes first; equal costs go from left to right
  int32_t id = kNoToken;
};

/// O(n log n) in the number of symbols. Holds its memory for the next text.
class PairMerger {
 public:
  void clear() { symbols_.clear(); }
  /// The symbols must be contiguous in their text, which is shorter than 4 GiB.
  void add(size_t offset, size_t n_bytes, int32_t id) {
    const auto index = static_cast<int32_t>(symbols_.size());
    if (index > 0) symbols_.back().next = index;
    symbols_.push_back({static_cast<uint32_t>(offset), static_cast<uint32_t>(n_bytes), id, index - 1, -1});
  }

  /// `find(left, right)` gives an std::optional<Merge>: whether, and how eagerly, two neighbours become one.
  template <class Find>
  void run(const Find& find) {
    for (size_t i = 1; i < symbols_.size(); ++i) propose(find, static_cast<int32_t>(i - 1));
    std::make_heap(heap_.begin(), heap_.end());
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end());
      const Candidate best = heap_.back();
      heap_.pop_back();
      Symbol& left = symbols_[static_cast<size_t>(best.left())];
      // A side that has merged with another neighbour since has another length.
      if (left.n_bytes != best.left_bytes || left.next < 0) continue;
      Symbol& right = symbols_[static_cast<size_t>(left.next)];
      if (right.n_bytes != best.right_bytes) continue;
      left.n_bytes += right.n_bytes;
      left.id = best.id;
      left.next = right.next;
      right.n_bytes = 0;
      if (left.next >= 0) symbols_[static_cast<size_t>(left.next)].previous = best.left();
      if (left.previous >= 0 && propose(find, left.previous)) std::push_heap(heap_.begin(), heap_.end());
      if (propose(find, best.left())) std::push_heap(heap_.begin(), heap_.end());
    }
  }

  /// Calls `visit(symbol)` for what is left, in order.
  template <class Visit>
  void for_each(const Visit& visit) const {
    for (int32_t i = symbols_.empty() ? -1 : 0; i >= 0; i = symbols_[static_cast<size_t>(i)].next)
      visit(symbols_[static_cast<size_t>(i)]);
  }

 private:
  struct Candidate {
    uint64_t order;  // the cost, then the left symbol's index: the heap's top has the lowest
    uint32_t left_bytes, right_bytes;
    int32_t id;
    int32_t left() const { return static_cast<int32_t>(order & 0xFFFFFFFFu); }
    bool operator<(const Candidate& other) const { return order > other.order; }
  };

  /// Appends the merge of `left` with its neighbour, if there is one, to the heap's memory.
  template <class Find>
  bool propose(const Find& find, int32_t left) {
    const Symbol& a = symbols_[static_cast<size_t>(left)];
    if (a.next < 0) return false;
    const Symbol& b = symbols_[static_cast<size_t>(a.next)];
    const std::optional<Merge> merge = find(a, b);
    if (!merge) return false;
    heap_.push_back(
        {uint64_t{merge->cost} << 32 | static_cast<uint32_t>(left), a.n_bytes, b.n_bytes, merge->id});
    return true;
  }

  std::vector<Symbol> symbols_;
  std::vector<Candidate> heap_;
};

}  // namespace assay
