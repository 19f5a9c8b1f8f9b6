// Words recur within a text: the ids of one are copied from where it was first met.
#pragma once
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace assay {

/// For one call of encode_text: words are views of its text, and `ids` only grows.
class WordCache {
 public:
  /// Appends the ids of `word`, from an earlier place in `ids` or by `encode()`, which appends them.
  template <class Encode>
  void append(std::string_view word, std::vector<int32_t>& ids, const Encode& encode) {
    if (word.size() > kMaxBytes) return encode();
    const auto [found, is_new] = seen_.try_emplace(word, Span{ids.size(), 0});
    Span& span = found->second;
    if (is_new) {
      encode();
      span.n_ids = ids.size() - span.begin;
    } else {
      for (size_t i = 0; i < span.n_ids; ++i) ids.push_back(ids[span.begin + i]);
    }
  }

 private:
  static constexpr size_t kMaxBytes = 64;
  struct Span {
    size_t begin, n_ids;
  };
  std::unordered_map<std::string_view, Span> seen_;
};

}  // namespace assay
