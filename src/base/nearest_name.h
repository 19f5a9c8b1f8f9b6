// What the user may have meant.
#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

namespace assay {

/// Letters to insert, remove or replace to make one name of the other.
inline size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t(0));
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

/// The name of `names` (any range of things that `name_of` gives a string_view for) nearest to `wanted`;
/// empty when there are none.
template <class Range, class NameOf>
std::string_view nearest_name(std::string_view wanted, const Range& names, const NameOf& name_of) {
  constexpr size_t kLongest = 200;  // what strangers call things may be long
  std::string_view nearest;
  size_t least = SIZE_MAX;
  if (wanted.size() > kLongest) return nearest;
  for (const auto& candidate : names) {
    const std::string_view name = name_of(candidate);
    if (name.size() > kLongest) continue;
    if (const size_t distance = edit_distance(wanted, name); distance < least) {
      least = distance;
      nearest = name;
    }
  }
  return nearest;
}

}  // namespace assay
