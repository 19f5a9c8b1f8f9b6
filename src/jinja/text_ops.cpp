#include "jinja/text_ops.h"

#include <algorithm>
#include <array>
#include <limits>

#include "jinja/unicode.h"

namespace assay::jinja {
namespace {

bool is_line_end(char32_t c) {
  return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

/// Maps every code point; `map(out, code_point, index)` appends what replaces it.
template <class Map>
Text map_points(const Text& text, Map map) {
  Text out;
  size_t index = 0;
  std::string piece;
  for (const CodePoint& c : code_points(text.bytes())) {
    piece.clear();
    map(piece, c.value, index++);
    out.append(piece, text.from_data_at(c.begin));
  }
  return out;
}

bool is_cased(char32_t c) {
  return is_upper(c) || is_lower(c) || is_title(c);
}

std::vector<Text> split_spaces(const Text& text, int64_t at_most) {
  std::vector<Text> parts;
  const auto points = code_points(text.bytes());
  size_t i = 0;
  while (true) {
    while (i < points.size() && is_space(points[i].value)) ++i;
    if (i == points.size()) return parts;
    const size_t begin = points[i].begin;
    if (at_most >= 0 && int64_t(parts.size()) >= at_most) {
      parts.push_back(text.slice(begin, text.size()));
      return parts;
    }
    while (i < points.size() && !is_space(points[i].value)) ++i;
    parts.push_back(text.slice(begin, i < points.size() ? points[i].begin : text.size()));
  }
}

std::vector<Text> split_spaces_right(const Text& text, int64_t at_most) {
  std::vector<Text> parts;  // last first
  const auto points = code_points(text.bytes());
  size_t end = points.size();
  while (true) {
    while (end > 0 && is_space(points[end - 1].value)) --end;
    if (end == 0) break;
    const size_t end_byte = points[end - 1].end;
    if (at_most >= 0 && int64_t(parts.size()) >= at_most) {
      parts.push_back(text.slice(0, end_byte));
      break;
    }
    while (end > 0 && !is_space(points[end - 1].value)) --end;
    parts.push_back(text.slice(end < points.size() ? points[end].begin : 0, end_byte));
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

}  // namespace

Text strip(const Text& text, Side side, const std::optional<std::string>& chars) {
  const auto points = code_points(text.bytes());
  std::u32string set;
  if (chars)
    for (const CodePoint& c : code_points(*chars)) set += c.value;
  const auto goes = [&](char32_t c) { return chars ? set.find(c) != std::u32string::npos : is_space(c); };
  size_t begin = 0, end = points.size();
  if (side != Side::right)
    while (begin < end && goes(points[begin].value)) ++begin;
  if (side != Side::left)
    while (end > begin && goes(points[end - 1].value)) --end;
  return begin == end ? Text() : text.slice(points[begin].begin, points[end - 1].end);
}

Text replace(Meter& meter, const Text& text, const Text& from, const Text& to, int64_t count) {
  const uint64_t most = count < 0 ? std::numeric_limits<uint64_t>::max() : uint64_t(count);
  Text out;
  size_t at = 0;
  const auto put = [&] {
    out.append(to);
    if (out.size() > meter.limits().string_bytes) meter.text(out.size());
    meter.step();
  };
  if (from.empty()) {
    uint64_t done = 0;
    for (const CodePoint& c : code_points(text.bytes())) {
      if (done++ >= most) break;
      put();
      out.append(text, c.begin, c.end);
      at = c.end;
    }
    if (at == text.size() && done < most) put();
    out.append(text, at, text.size());
    return out;
  }
  for (uint64_t done = 0; done < most; ++done) {
    const size_t found = text.bytes().find(from.bytes(), at);
    if (found == std::string::npos) break;
    out.append(text, at, found);
    put();
    at = found + from.size();
  }
  out.append(text, at, text.size());
  return out;
}

std::vector<Text> split(const Text& text, const std::optional<std::string>& separator, int64_t at_most) {
  if (!separator) return split_spaces(text, at_most);
  if (separator->empty()) fail("empty separator");
  std::vector<Text> parts;
  size_t at = 0;
  while (at_most < 0 || int64_t(parts.size()) < at_most) {
    const size_t found = text.bytes().find(*separator, at);
    if (found == std::string::npos) break;
    parts.push_back(text.slice(at, found));
    at = found + separator->size();
  }
  parts.push_back(text.slice(at, text.size()));
  return parts;
}

std::vector<Text> split_right(const Text& text, const std::optional<std::string>& separator,
                              int64_t at_most) {
  if (!separator) return split_spaces_right(text, at_most);
  if (separator->empty()) fail("empty separator");
  std::vector<Text> parts;  // last first
  size_t end = text.size();
  while ((at_most < 0 || int64_t(parts.size()) < at_most) && end >= separator->size()) {
    const size_t found = text.bytes().rfind(*separator, end - separator->size());
    if (found == std::string::npos) break;
    parts.push_back(text.slice(found + separator->size(), end));
    end = found;
  }
  parts.push_back(text.slice(0, end));
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<Text> split_lines(const Text& text, bool keep_ends) {
  std::vector<Text> lines;
  const auto points = code_points(text.bytes());
  size_t begin = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    if (!is_line_end(points[i].value)) continue;
    const size_t end = points[i].begin;
    if (points[i].value == '\r' && i + 1 < points.size() && points[i + 1].value == '\n') ++i;
    lines.push_back(text.slice(begin, keep_ends ? points[i].end : end));
    begin = points[i].end;
  }
  if (begin < text.size()) lines.push_back(text.slice(begin, text.size()));
  return lines;
}

Text to_upper(const Text& text) {
  return map_points(text, [](std::string& out, char32_t c, size_t) { append_upper(out, c); });
}
Text to_lower(const Text& text) {
  return map_points(text, [](std::string& out, char32_t c, size_t) { append_lower(out, c); });
}
Text swap_case(const Text& text) {
  return map_points(text, [](std::string& out, char32_t c, size_t) {
    if (is_upper(c))
      append_lower(out, c);
    else if (is_lower(c))
      append_upper(out, c);
    else
      append_utf8(out, c);
  });
}
Text capitalize(const Text& text) {
  return map_points(text, [](std::string& out, char32_t c, size_t index) {
    if (index == 0)
      append_title(out, c);
    else
      append_lower(out, c);
  });
}
Text title(const Text& text) {
  bool in_word = false;
  return map_points(text, [&](std::string& out, char32_t c, size_t) {
    if (in_word)
      append_lower(out, c);
    else
      append_title(out, c);
    in_word = is_cased(c);
  });
}

Text reversed(const Text& text) {
  const auto points = code_points(text.bytes());
  Text out;
  for (auto c = points.rbegin(); c != points.rend(); ++c) out.append(text, c->begin, c->end);
  return out;
}

Text padded(Meter& meter, const Text& text, int64_t width, Side text_side, std::string_view fill) {
  const int64_t length = int64_t(count_code_points(text.bytes()));
  if (width <= length) return text;
  const uint64_t n_fill = uint64_t(width - length);
  if (n_fill > meter.limits().string_bytes / fill.size()) meter.text(std::numeric_limits<size_t>::max());
  meter.text(text.size() + n_fill * fill.size());
  // CPython puts the odd character of str.center on the left when both counts are odd.
  const uint64_t centered = n_fill / 2 + (n_fill & uint64_t(width) & 1);
  const uint64_t before = text_side == Side::left ? 0 : text_side == Side::right ? n_fill : centered;
  Text out;
  for (uint64_t i = 0; i < before; ++i) out.append(fill);
  out.append(text);
  for (uint64_t i = before; i < n_fill; ++i) out.append(fill);
  return out;
}

Text html_escaped(const Text& text) {
  Text out;
  const std::string& bytes = text.bytes();
  for (size_t i = 0; i < bytes.size(); ++i) {
    constexpr std::string_view kSpecial = "&<>'\"";
    constexpr std::array<std::string_view, 5> kEntities = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
    const size_t special = kSpecial.find(bytes[i]);
    if (special == std::string_view::npos)
      out.append(text, i, i + 1);
    else
      out.append(kEntities[special], text.from_data_at(i));
  }
  return out;
}

Value text_list(Meter& meter, std::vector<Text> parts, List::Kind kind) {
  std::vector<Value> items;
  items.reserve(parts.size());
  for (Text& part : parts) items.push_back(meter.string(std::move(part)));
  return meter.list(std::move(items), kind);
}

}  // namespace assay::jinja
