#include "gguf/split.h"

#include <cstdio>

namespace assay {
namespace {

constexpr size_t kDigits = 5;

/// The number that the last kDigits of `text` spell, taken off it.
std::optional<uint32_t> take_number(std::string_view& text) {
  if (text.size() < kDigits) return std::nullopt;
  uint32_t number = 0;
  for (const char c : text.substr(text.size() - kDigits)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + uint32_t(c - '0');
  }
  text.remove_suffix(kDigits);
  return number;
}

bool take_ending(std::string_view& text, std::string_view ending) {
  if (!text.ends_with(ending)) return false;
  text.remove_suffix(ending.size());
  return true;
}

}  // namespace

std::optional<SplitName> split_name(const std::filesystem::path& path) {
  const std::string whole = path.string();
  std::string_view rest = whole;
  if (!take_ending(rest, ".gguf")) return std::nullopt;
  const auto count = take_number(rest);
  if (!count || !take_ending(rest, "-of-")) return std::nullopt;
  const auto number = take_number(rest);
  if (!number || !take_ending(rest, "-")) return std::nullopt;
  return SplitName{std::string(rest), *number, *count};
}

std::filesystem::path SplitName::part(uint32_t number_of_part) const {
  char ending[48];
  std::snprintf(ending, sizeof(ending), "-%05u-of-%05u.gguf", number_of_part, count);
  return prefix + ending;
}

}  // namespace assay
