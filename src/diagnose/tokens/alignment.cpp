#include "diagnose/tokens/alignment.h"

#include <algorithm>

namespace assay {
namespace {

using Ids = std::span<const int32_t>;

/// A step of the shortest script, backwards: the diagonal's end before the d-th change.
struct Point {
  size_t x, y;
};

/// Adds [x, x + dx) / [y, y + dy) in front of `edits`, which are collected from the end; neighbours become
/// one.
void prepend(std::vector<IdEdit>& reversed, size_t x, size_t y, size_t dx, size_t dy) {
  if (!reversed.empty() && reversed.back().a_begin == x + dx && reversed.back().b_begin == y + dy) {
    reversed.back().a_begin = x;
    reversed.back().b_begin = y;
  } else {
    reversed.push_back({x, x + dx, y, y + dy});
  }
}

std::vector<IdEdit> align_middle(Ids a, Ids b) {
  const auto n = ptrdiff_t(a.size()), m = ptrdiff_t(b.size());
  const auto most = ptrdiff_t(std::min(a.size() + b.size(), kMaxChanges));
  // furthest[k + most]: the largest x reached on diagonal k = x - y.
  std::vector<ptrdiff_t> furthest(size_t(2 * most + 2), 0);
  std::vector<std::vector<ptrdiff_t>> history;
  const auto at = [&](std::vector<ptrdiff_t>& v, ptrdiff_t k) -> ptrdiff_t& { return v[size_t(k + most)]; };
  const auto goes_down = [&](std::vector<ptrdiff_t>& v, ptrdiff_t k, ptrdiff_t d) {
    return k == -d || (k != d && at(v, k - 1) < at(v, k + 1));
  };
  for (ptrdiff_t d = 0; d <= most; ++d) {
    history.push_back(furthest);
    for (ptrdiff_t k = -d; k <= d; k += 2) {
      const bool down = d > 0 && goes_down(furthest, k, d);
      ptrdiff_t x = d == 0 ? 0 : down ? at(furthest, k + 1) : at(furthest, k - 1) + 1;
      while (x < n && x - k < m && a[size_t(x)] == b[size_t(x - k)]) ++x;
      at(furthest, k) = x;
      if (x < n || x - k < m) continue;
      std::vector<IdEdit> reversed;
      for (ptrdiff_t back = d, diagonal = k; back > 0; --back) {
        std::vector<ptrdiff_t>& before = history[size_t(back)];
        const bool inserted = goes_down(before, diagonal, back);
        const ptrdiff_t from = inserted ? diagonal + 1 : diagonal - 1;
        const ptrdiff_t from_x = at(before, from);
        prepend(reversed, size_t(from_x), size_t(from_x - from), inserted ? 0 : 1, inserted ? 1 : 0);
        diagonal = from;
      }
      return {reversed.rbegin(), reversed.rend()};
    }
  }
  return {{0, a.size(), 0, b.size()}};
}

}  // namespace

std::vector<IdEdit> align(Ids a, Ids b) {
  const size_t shorter = std::min(a.size(), b.size());
  const auto n_head =
      size_t(std::mismatch(a.begin(), a.begin() + ptrdiff_t(shorter), b.begin()).first - a.begin());
  size_t n_tail = 0;
  while (n_tail < shorter - n_head && a[a.size() - 1 - n_tail] == b[b.size() - 1 - n_tail]) ++n_tail;
  if (n_head == a.size() && n_head == b.size()) return {};
  std::vector<IdEdit> edits = align_middle(a.subspan(n_head, a.size() - n_head - n_tail),
                                           b.subspan(n_head, b.size() - n_head - n_tail));
  for (IdEdit& edit : edits)
    for (size_t* place : {&edit.a_begin, &edit.a_end, &edit.b_begin, &edit.b_end}) *place += n_head;
  return edits;
}

double id_distance(Ids a, Ids b) {
  if (a.empty() && b.empty()) return 0;
  size_t n_changed = 0;
  for (const IdEdit& edit : align(a, b)) n_changed += edit.n_changed();
  return double(n_changed) / double(a.size() + b.size());
}

}  // namespace assay
