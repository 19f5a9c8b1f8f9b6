// Names -> positions in a list.
#pragma once
#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace assay {

/// Finds names by binary search: unlike with a hash table, no choice of names in a hostile file makes it
/// slow. Views only.
class NameIndex {
 public:
  NameIndex() = default;
  /// Indexes names[i] as i.
  explicit NameIndex(const std::vector<std::string_view>& names) {
    entries_.reserve(names.size());
    for (size_t i = 0; i < names.size(); ++i) entries_.emplace_back(names[i], i);
    std::sort(entries_.begin(), entries_.end());
  }

  /// The position of a name; of equal names, the first.
  std::optional<size_t> find(std::string_view name) const {
    const auto entry = std::lower_bound(entries_.begin(), entries_.end(), Entry(name, 0));
    if (entry == entries_.end() || entry->first != name) return std::nullopt;
    return entry->second;
  }

  /// The lowest position whose name an earlier position has, if there is one.
  std::optional<size_t> first_duplicate() const {
    std::optional<size_t> lowest;
    for (size_t i = 1; i < entries_.size(); ++i)
      if (entries_[i].first == entries_[i - 1].first && (!lowest || entries_[i].second < *lowest))
        lowest = entries_[i].second;
    return lowest;
  }

 private:
  using Entry = std::pair<std::string_view, size_t>;
  std::vector<Entry> entries_;
};

}  // namespace assay
