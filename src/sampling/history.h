// The tokens that the penalties look back on.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace assay {

/// The last `n_max` accepted tokens and how often each occurs among them. Allocates only while it grows to
/// n_max.
class History {
 public:
  static constexpr size_t kUnlimited = SIZE_MAX;

  History(size_t n_max, size_t vocab_size) : n_max_(n_max), counts_(n_max > 0 ? vocab_size : 0) {
    if (n_max != kUnlimited) ring_.reserve(n_max);
  }

  /// `id` in [0, vocab_size).
  void accept(int32_t id) {
    if (n_max_ == 0) return;
    if (ring_.size() < n_max_) {
      ring_.push_back(id);
    } else {
      --counts_[size_t(ring_[next_])];
      ring_[next_] = id;
    }
    ++counts_[size_t(id)];
    next_ = (next_ + 1) % n_max_;
  }

  size_t size() const noexcept { return ring_.size(); }
  /// The token accepted `age` calls ago, 0 being the newest. age < size().
  int32_t recent(size_t age) const noexcept { return ring_[(next_ + ring_.size() - 1 - age) % ring_.size()]; }
  /// Occurrences of `id` among the tokens kept. Only when n_max > 0.
  uint32_t count(int32_t id) const noexcept { return counts_[size_t(id)]; }

 private:
  size_t n_max_, next_ = 0;
  std::vector<int32_t> ring_;
  std::vector<uint32_t> counts_;
};

}  // namespace assay
