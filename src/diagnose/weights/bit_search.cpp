#include "diagnose/weights/bit_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace assay {
namespace {

/// "3", "3-7", "0-3, 8".
std::string ranges_text(const std::set<size_t>& numbers) {
  std::string text;
  for (auto at = numbers.begin(); at != numbers.end();) {
    const size_t first = *at;
    size_t last = first;
    while (++at != numbers.end() && *at == last + 1) ++last;
    text +=
        fmt::format("{}{}{}", text.empty() ? "" : ", ", first, last == first ? "" : fmt::format("-{}", last));
  }
  return text;
}

const BlockField& field_of(const QuantType& type, size_t byte) {
  const auto fields = block_fields(type);
  return *std::ranges::find_if(fields,
                               [&](const BlockField& f) { return byte < size_t(f.first_byte + f.n_bytes); });
}

std::vector<std::byte> block_bytes(const JudgedWeights& judged, size_t block) {
  const size_t n_bytes = judged.tensor.info.type->block_bytes;
  const auto bytes = judged.blocks().subspan(block * n_bytes, n_bytes);
  return {bytes.begin(), bytes.end()};
}

}  // namespace

std::string bits_text(const QuantType& type, const BitSet& bits) {
  std::string text;
  for (const BlockField& field : block_fields(type)) {
    std::set<size_t> bytes, in_byte;
    for (const auto& [byte, mask] : bits) {
      if (byte < field.first_byte || byte >= size_t(field.first_byte + field.n_bytes) || mask == 0) continue;
      bytes.insert(byte);
      for (size_t bit = 0; bit < 8; ++bit)
        if (mask >> bit & 1) in_byte.insert(bit);
    }
    if (bytes.empty()) continue;
    text += fmt::format("{}{} ({} {}{})", text.empty() ? "" : ", ", field.name,
                        bytes.size() == 1 ? "byte" : "bytes", ranges_text(bytes),
                        in_byte.size() == 8 ? ""
                                            : fmt::format(", {} {}", in_byte.size() == 1 ? "bit" : "bits",
                                                          ranges_text(in_byte)));
  }
  return text;
}

BitSet bits_that_change(
    const JudgedWeights& judged, std::span<const size_t> blocks,
    const std::function<bool(const IntegerBlock& before, const IntegerBlock& after)>& changes) {
  const QuantType& type = *judged.tensor.info.type;
  BitSet bits;
  for (const size_t block : blocks) {
    std::vector<std::byte> bytes = block_bytes(judged, block);
    IntegerBlock before, after;
    type.integers(bytes.data(), before);
    for (size_t byte = 0; byte < bytes.size(); ++byte)
      for (int bit = 0; bit < 8; ++bit) {
        const std::byte flip = std::byte(1 << bit);
        bytes[byte] ^= flip;
        type.integers(bytes.data(), after);
        bytes[byte] ^= flip;
        if (changes(before, after)) bits[byte] |= uint8_t(flip);
      }
  }
  return bits;
}

FlipCounts count_flips(const JudgedWeights& judged, const Decoded& truth, std::span<const size_t> blocks,
                       DumpRounding rounding) {
  const QuantType& type = *judged.tensor.info.type;
  FlipCounts counts;
  std::vector<float> flipped(type.block_elems), slack(type.block_elems);
  for (const size_t block : blocks) {
    std::vector<std::byte> bytes = block_bytes(judged, block);
    const size_t begin = block * type.block_elems;
    std::vector<size_t> wrong;
    for (size_t i = 0; i < type.block_elems; ++i)
      if (!agrees(judged.dumped[begin + i], truth.values[begin + i], truth.slack[begin + i], rounding))
        wrong.push_back(i);
    counts.n_wrong += wrong.size();
    std::map<std::string_view, std::set<size_t>> explained;
    for (size_t byte = 0; byte < bytes.size(); ++byte)
      for (int bit = 0; bit < 8; ++bit) {
        const std::byte flip = std::byte(1 << bit);
        bytes[byte] ^= flip;
        type.dequantize(bytes.data(), 1, flipped.data());
        decode_slack(type, bytes, flipped, slack);
        bytes[byte] ^= flip;
        for (const size_t i : wrong)
          if (agrees(judged.dumped[begin + i], flipped[i], slack[i], rounding)) {
            const std::string_view field = field_of(type, byte).name;
            explained[field].insert(i);
            counts.bits[field][byte] |= uint8_t(flip);
          }
      }
    for (const auto& [field, which] : explained) counts.n_explained[field] += which.size();
  }
  return counts;
}

}  // namespace assay
