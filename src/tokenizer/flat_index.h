// Two hash tables in one block of memory each: a vocabulary has hundreds of thousands of entries, and
// node-based maps spend most of a model's load time on them. Open addressing, at most half full, nothing is
// ever removed.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace assay {

/// Text -> number. The texts are views.
class TextIndex {
 public:
  void reserve(size_t n) { slots_.assign(std::bit_ceil(2 * n + 2), Slot{}); }
  /// The number of `text`, -1 when it has none.
  int32_t find(std::string_view text) const {
    return slots_.empty() ? -1 : slots_[place(text, std::hash<std::string_view>{}(text))].number;
  }
  /// Adds `text`, unless it is there; returns its number. At most as many texts as were reserved; `number` is
  /// not negative.
  int32_t add(std::string_view text, int32_t number) {
    const size_t hash = std::hash<std::string_view>{}(text);
    Slot& slot = slots_[place(text, hash)];
    if (slot.number < 0) slot = {text, static_cast<uint32_t>(hash >> 32), number};
    return slot.number;
  }

 private:
  struct Slot {
    std::string_view text;
    uint32_t tag = 0;  // hash bits that the place does not use, to tell most texts apart without reading them
    int32_t number = -1;
  };
  size_t place(std::string_view text, size_t hash) const {
    const size_t mask = slots_.size() - 1;
    size_t i = hash & mask;
    while (slots_[i].number >= 0 &&
           (slots_[i].tag != static_cast<uint32_t>(hash >> 32) || slots_[i].text != text))
      i = (i + 1) & mask;
    return i;
  }
  std::vector<Slot> slots_;
};

/// A pair of numbers -> two numbers.
class PairIndex {
 public:
  struct Entry {
    int32_t left = -1, right = -1;  // the pair
    uint32_t rank = 0;
    int32_t id = -1;
  };
  void reserve(size_t n) { slots_.assign(std::bit_ceil(2 * n + 2), Entry{}); }
  /// Null when the pair has no entry.
  const Entry* find(int32_t left, int32_t right) const {
    const Entry& slot = slots_[place(left, right)];
    return slot.left < 0 ? nullptr : &slot;
  }
  /// Keeps the entry that is there. At most as many as were reserved; entry.left is not negative.
  void add(const Entry& entry) {
    Entry& slot = slots_[place(entry.left, entry.right)];
    if (slot.left < 0) slot = entry;
  }

 private:
  size_t place(int32_t left, int32_t right) const {
    const size_t mask = slots_.size() - 1;
    const uint64_t key = uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
    size_t i = (key * 0x9E3779B97F4A7C15u) >> 32 & mask;
    while (slots_[i].left >= 0 && (slots_[i].left != left || slots_[i].right != right)) i = (i + 1) & mask;
    return i;
  }
  std::vector<Entry> slots_{Entry{}};
};

}  // namespace assay
