// Merging neighbours, best pair first, until none is left: the loop that sentencepiece and BPE share.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace assay {

/// A stretch of text that is one unit so far.
struct Symbol {
  size_t offset = 0, n_bytes = 0;  // n_bytes 0: merged into another
  int32_t id = kNoToken;           // of the unit; kNoToken when it is none
  int32_t previous = -1, next = -1;
};

struct Merge {
  double cost = 0;  // the lowest goes first; equal costs go from left to right
  int32_t id = kNoToken;
};

/// O(n log n) in the number of symbols. Holds its memory for the next text.
class PairMerger {
 public:
  void clear() { symbols_.clear(); }
  /// The symbols must be contiguous in their text.
  void add(size_t offset, size_t n_bytes, int32_t id) {
    const auto index = static_cast<int32_t>(symbols_.size());
    if (index > 0) symbols_.back().next = index;
    symbols_.push_back({offset, n_bytes, id, index - 1, -1});
  }

  /// `find(left, right)` gives an std::optional<Merge>: whether, and how eagerly, two neighbours become one.
  template <class Find>
  void run(const Find& find) {
    for (size_t i = 1; i < symbols_.size(); ++i) propose(find, static_cast<int32_t>(i - 1));
    while (!queue_.empty()) {
      const Candidate best = queue_.top();
      queue_.pop();
      Symbol& left = symbols_[static_cast<size_t>(best.left)];
      // A side that has merged with another neighbour since has another length.
      if (left.n_bytes == 0 || left.next < 0) continue;
      Symbol& right = symbols_[static_cast<size_t>(left.next)];
      if (left.n_bytes != best.left_bytes || right.n_bytes != best.right_bytes) continue;
      left.n_bytes += right.n_bytes;
      left.id = best.id;
      left.next = right.next;
      right.n_bytes = 0;
      if (left.next >= 0) symbols_[static_cast<size_t>(left.next)].previous = best.left;
      if (left.previous >= 0) propose(find, left.previous);
      propose(find, best.left);
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
    double cost;
    int32_t left, id;
    size_t left_bytes, right_bytes;
    bool operator<(const Candidate& other) const {  // the queue's top is the greatest
      return cost > other.cost || (cost == other.cost && left > other.left);
    }
  };

  template <class Find>
  void propose(const Find& find, int32_t left) {
    const Symbol& a = symbols_[static_cast<size_t>(left)];
    if (a.next < 0) return;
    const Symbol& b = symbols_[static_cast<size_t>(a.next)];
    if (const std::optional<Merge> merge = find(a, b))
      queue_.push({merge->cost, left, merge->id, a.n_bytes, b.n_bytes});
  }

  std::vector<Symbol> symbols_;
  std::priority_queue<Candidate> queue_;
};

}  // namespace assay
