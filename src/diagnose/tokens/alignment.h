// Two id lists laid side by side.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace assay {

/// Where two lists differ: a[a_begin, a_end) stands in place of b[b_begin, b_end); one of them may be empty.
struct IdEdit {
  size_t a_begin, a_end, b_begin, b_end;
  size_t n_changed() const { return (a_end - a_begin) + (b_end - b_begin); }
};

/// The edits of a shortest script of insertions and deletions, in order, neighbours joined. Source: E. Myers,
/// "An O(ND) Difference Algorithm" (1986). Past kMaxChanges changes what lies between the common ends is one
/// edit.
std::vector<IdEdit> align(std::span<const int32_t> a, std::span<const int32_t> b);
inline constexpr size_t kMaxChanges = 256;

/// Ids to insert and delete over the ids of both: 0 equal, 1 nothing in common.
double id_distance(std::span<const int32_t> a, std::span<const int32_t> b);

}  // namespace assay
