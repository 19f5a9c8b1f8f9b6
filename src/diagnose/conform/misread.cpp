#include "diagnose/conform/misread.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "quant/fields.h"

namespace assay {
namespace {

/// One block with what the engine made of it, and a content of one field that comes as near as it can.
class Fit {
 public:
  Fit(const QuantType& type, std::span<const std::byte> block, std::span<const float> answers)
      : type_(&type), block_(block.begin(), block.end()), answers_(answers), w_(type.block_elems) {
    right_ = count_right();
  }

  size_t right() const { return right_; }
  bool complete() const { return right_ == answers_.size(); }

  /// Seeks the content of the field that gives most answers; the bytes that it has to change get their flag.
  void seek(const BlockField& field, std::vector<bool>& changed) {
    const std::vector<std::byte> stored = block_;
    const std::span bytes = std::span(block_).subspan(field.first_byte, field.n_bytes);
    if (field.n_bytes == 2) {
      seek_best(bytes, 65536);
    } else if (!is_all(bytes, 0x00) && !is_all(bytes, 0xFF)) {
      for (size_t before = answers_.size(); before != right_ && !complete();) {
        before = right_;
        for (size_t i = 0; i < field.n_bytes && !complete(); ++i)
          if (reaches_wrong(bytes[i])) seek_best(bytes.subspan(i, 1), 256);
      }
    }
    for (size_t i = 0; i < field.n_bytes; ++i) {
      const std::byte other = bytes[i];
      if (other == stored[field.first_byte + i]) continue;
      bytes[i] = stored[field.first_byte + i];
      if (count_right() == right_) continue;
      bytes[i] = other;
      changed[i] = true;
    }
  }

 private:
  size_t count_right() {
    type_->dequantize(block_.data(), 1, w_.data());
    size_t n = 0;
    for (size_t i = 0; i < w_.size(); ++i) n += same_weight(w_[i], answers_[i]);
    return n;
  }

  /// Whether the bytes give all answers with that value each, which they then have; else they stay.
  bool is_all(std::span<std::byte> bytes, unsigned value) {
    const std::vector<std::byte> before(bytes.begin(), bytes.end());
    std::ranges::fill(bytes, std::byte(value));
    if (const size_t n = count_right(); n == answers_.size()) return right_ = n, true;
    std::ranges::copy(before, bytes.begin());
    return false;
  }

  /// Gives one or two bytes the value that gives most answers; they stay when none gives more.
  void seek_best(std::span<std::byte> bytes, unsigned n_values) {
    const auto set = [&](unsigned v) {
      for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::byte(v >> 8 * i);
    };
    unsigned best = 0;
    for (size_t i = 0; i < bytes.size(); ++i) best |= std::to_integer<unsigned>(bytes[i]) << 8 * i;
    for (unsigned v = 0; v < n_values && !complete(); ++v) {
      set(v);
      if (const size_t n = count_right(); n > right_) right_ = n, best = v;
    }
    set(best);
  }

  /// Whether a bit of the byte moves a weight that is wrong.
  bool reaches_wrong(std::byte& byte) {
    count_right();
    const std::vector<float> before = w_;
    bool reaches = false;
    for (unsigned bit = 0; bit < 8 && !reaches; ++bit) {
      byte ^= std::byte(1u << bit);
      count_right();
      for (size_t i = 0; i < w_.size(); ++i)
        reaches |= !same_weight(before[i], answers_[i]) && !same_weight(before[i], w_[i]);
      byte ^= std::byte(1u << bit);
    }
    return reaches;
  }

  const QuantType* type_;
  std::vector<std::byte> block_;
  std::span<const float> answers_;
  std::vector<float> w_;
  size_t right_ = 0;  // of the answers, with the content at hand
};

/// The field with the bytes of it that are misread.
std::string describe(const BlockField& field, const std::vector<bool>& changed) {
  const size_t first = size_t(std::ranges::find(changed, true) - changed.begin());
  size_t last = changed.size();
  while (last > 0 && !changed[last - 1]) --last;
  if (field.n_bytes <= 2 || (first == 0 && last == changed.size()) || last == 0)
    return std::string(field.name);
  return fmt::format("{}, its bytes {}..{}", field.name, first, last - 1);
}

}  // namespace

bool same_weight(float a, float b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

std::vector<std::string> misread_fields(const QuantType& type, std::span<const std::byte> blocks,
                                        std::span<const float> answers) {
  constexpr size_t kMostBlocks = 6;
  std::vector<Fit> wrong;
  for (size_t k = 0; k < blocks.size() / type.block_bytes; ++k) {
    const Fit fit(type, blocks.subspan(k * type.block_bytes, type.block_bytes),
                  answers.subspan(k * type.block_elems, type.block_elems));
    if (!fit.complete()) wrong.push_back(fit);
  }
  // Few wrong weights have many explanations.
  std::ranges::stable_sort(wrong, {}, &Fit::right);
  if (wrong.size() > kMostBlocks) wrong.erase(wrong.begin() + kMostBlocks, wrong.end());
  std::vector<std::string> misread;
  if (wrong.empty()) return misread;
  std::vector<BlockField> fields(block_fields(type).begin(), block_fields(type).end());
  if (fields.size() == 1) return {std::string(fields[0].name)};  // a number by itself
  std::ranges::stable_sort(fields, {}, &BlockField::n_bytes);
  size_t smallest = 0;
  for (const BlockField& field : fields) {
    if (!misread.empty() && field.n_bytes > smallest) break;
    std::vector<bool> changed(field.n_bytes);
    const bool explains = std::ranges::all_of(wrong, [&](Fit fit) {
      fit.seek(field, changed);
      return fit.complete();
    });
    if (explains) misread.push_back(describe(field, changed)), smallest = field.n_bytes;
  }
  return misread;
}

}  // namespace assay
