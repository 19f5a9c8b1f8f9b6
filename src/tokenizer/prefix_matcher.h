// Which of a set of texts does some text begin with?
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace assay {

/// The texts sorted; walking down a text narrows the range of those that agree with it so far. The texts are
/// views.
class PrefixMatcher {
 public:
  struct Entry {
    std::string_view text;  // not empty
    int32_t id = 0;
  };

  explicit PrefixMatcher(std::vector<Entry> entries) : entries_(std::move(entries)) {
    std::sort(entries_.begin(), entries_.end(),
              [](const Entry& a, const Entry& b) { return a.text < b.text; });
    for (size_t i = 0; i < entries_.size(); ++i)
      ++starts_[static_cast<unsigned char>(entries_[i].text[0]) + size_t{1}];
    for (size_t byte = 0; byte < 256; ++byte) starts_[byte + 1] += starts_[byte];
  }

  /// Calls `found(entry)` for every entry that `text` begins with, shortest first.
  template <class Found>
  void match(std::string_view text, Found&& found) const {
    if (text.empty()) return;
    const auto lead = static_cast<unsigned char>(text[0]);
    auto first = entries_.begin() + starts_[lead], last = entries_.begin() + starts_[lead + size_t{1}];
    for (size_t n = 1; first != last; ++n) {  // all of [first, last) agree with text in n bytes
      if (first->text.size() == n) found(*first++);
      if (n == text.size()) return;
      const auto before = [n](const Entry& entry, char c) { return byte(entry.text[n]) < byte(c); };
      const auto after = [n](char c, const Entry& entry) { return byte(c) < byte(entry.text[n]); };
      first = std::lower_bound(first, last, text[n], before);
      last = std::upper_bound(first, last, text[n], after);
    }
  }

 private:
  static unsigned char byte(char c) { return static_cast<unsigned char>(c); }
  std::vector<Entry> entries_;
  std::array<std::ptrdiff_t, 257> starts_{};  // of the entries with each first byte
};

}  // namespace assay
