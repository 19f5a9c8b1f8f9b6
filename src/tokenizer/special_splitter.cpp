#include "tokenizer/special_splitter.h"

#include <algorithm>

namespace assay {
namespace {

constexpr uint8_t kSpecial = kControl | kUserDefined | kUnknown;

std::vector<PrefixMatcher::Entry> special_entries(const Vocabulary& vocabulary) {
  std::vector<PrefixMatcher::Entry> entries;
  for (int32_t id = 0; id < vocabulary.n_tokens(); ++id)
    if (vocabulary.has(id, kSpecial))
      entries.push_back({vocabulary.tokens[static_cast<size_t>(id)].text, id});
  return entries;
}

/// isspace() of the C locale.
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/// Offset in `text` of the first `token` that lies inside one of `allowed`, at or after `from`; npos when
/// there is none. `base` is the offset of text in what the ranges count from.
size_t find_allowed(std::string_view text, std::string_view token, size_t from, size_t base,
                    std::span<const ByteRange> allowed) {
  auto range = std::partition_point(allowed.begin(), allowed.end(),
                                    [&](const ByteRange& r) { return r.end <= base + from; });
  for (; range != allowed.end() && range->begin < base + text.size(); ++range) {
    const size_t begin = std::max(range->begin, base + from) - base,
                 end = std::min(range->end - base, text.size());
    const size_t found = text.substr(0, end).find(token, begin);
    if (found != std::string_view::npos) return found;
  }
  return std::string_view::npos;
}

/// Replaces every `token` in the text parts of `fragments`.
void cut_at(const Token& token, int32_t id, std::string_view whole, std::span<const ByteRange> allowed,
            std::vector<Fragment>& fragments) {
  std::vector<Fragment> out;
  for (const Fragment& fragment : fragments) {
    std::string_view rest = fragment.text;
    while (!rest.empty()) {
      const size_t base = static_cast<size_t>(rest.data() - whole.data());
      const size_t found = find_allowed(rest, token.text, 0, base, allowed);
      if (found == std::string_view::npos) break;
      std::string_view left = rest.substr(0, found);
      rest.remove_prefix(found + token.text.size());
      if (token.flags & kStripLeft)
        while (!left.empty() && is_space(left.back())) left.remove_suffix(1);
      if (token.flags & kStripRight)
        while (!rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
      if (!left.empty()) out.push_back({kNoToken, left});
      out.push_back({id, {}});
    }
    if (fragment.id != kNoToken || !rest.empty()) out.push_back({fragment.id, rest});
  }
  fragments.swap(out);
}

}  // namespace

SpecialSplitter::SpecialSplitter(const Vocabulary& vocabulary)
    : vocabulary_(vocabulary), matcher_(special_entries(vocabulary)) {
  for (int32_t id = 0; id < vocabulary.n_tokens(); ++id)
    if (vocabulary.has(id, kSpecial)) by_length_.push_back(id);
  std::stable_sort(by_length_.begin(), by_length_.end(), [&](int32_t a, int32_t b) {
    return vocabulary.tokens[static_cast<size_t>(a)].text.size() >
           vocabulary.tokens[static_cast<size_t>(b)].text.size();
  });
}

std::vector<Fragment> SpecialSplitter::split(std::string_view text,
                                             std::span<const ByteRange> parse_special) const {
  std::vector<Fragment> fragments;
  if (text.empty()) return fragments;
  // One pass finds which tokens occur at all: of thousands, a text holds a few.
  std::vector<bool> occurs(vocabulary_.tokens.size());
  bool any = false;
  for (size_t offset = 0; offset < text.size(); ++offset)
    matcher_.match(text.substr(offset), [&](const PrefixMatcher::Entry& entry) {
      occurs[static_cast<size_t>(entry.id)] = any = true;
    });
  fragments.push_back({kNoToken, text});
  if (!any) return fragments;
  const ByteRange everywhere[] = {{0, text.size()}};
  for (const int32_t id : by_length_) {
    if (!occurs[static_cast<size_t>(id)]) continue;
    const Token& token = vocabulary_.tokens[static_cast<size_t>(id)];
    const bool restricted = (token.flags & (kControl | kUnknown)) != 0;
    cut_at(token, id, text, restricted ? parse_special : std::span<const ByteRange>(everywhere), fragments);
  }
  return fragments;
}

}  // namespace assay
