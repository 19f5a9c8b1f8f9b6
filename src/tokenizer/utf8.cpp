#include "tokenizer/utf8.h"

#include <cstring>

namespace assay {

Utf8Step utf8_step(std::string_view text) noexcept {
  using enum Utf8Step::Kind;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {valid, 1};
  if (lead < 0xC2 || lead > 0xF4) return {invalid, 1};
  const uint8_t n_bytes = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and what lies past U+10FFFF (RFC 3629,
  // section 4).
  const unsigned second_first = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned second_last = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (uint8_t i = 1; i < n_bytes; ++i) {
    if (i >= text.size()) return {truncated, i};
    const unsigned first = i == 1 ? second_first : 0x80, last = i == 1 ? second_last : 0xBF;
    if (byte(i) < first || byte(i) > last) return {invalid, i};
  }
  return {valid, n_bytes};
}

size_t find_invalid_utf8(std::string_view text) noexcept {
  size_t offset = 0;
  while (offset < text.size()) {
    uint64_t eight = 0;
    while (text.size() - offset >= sizeof eight) {  // runs of ASCII, eight bytes at a time
      std::memcpy(&eight, text.data() + offset, sizeof eight);
      if (eight & 0x8080808080808080u) break;
      offset += sizeof eight;
    }
    if (offset == text.size()) break;
    const Utf8Step step = utf8_step(text.substr(offset, 4));
    if (step.kind != Utf8Step::Kind::valid) return offset;
    offset += step.n_bytes;
  }
  return std::string_view::npos;
}

size_t utf8_length(char lead) noexcept {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

char32_t next_code_point(std::string_view text, size_t& offset) noexcept {
  const Utf8Step step = utf8_step(text.substr(offset, 4));
  if (step.kind != Utf8Step::Kind::valid) {
    ++offset;
    return 0xFFFD;
  }
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[offset + i]); };
  char32_t code_point = step.n_bytes == 1 ? byte(0) : byte(0) & (0x7Fu >> step.n_bytes);
  for (size_t i = 1; i < step.n_bytes; ++i) code_point = code_point << 6 | (byte(i) & 0x3Fu);
  offset += step.n_bytes;
  return code_point;
}

void append_utf8(std::string& text, char32_t code_point) {
  const auto tail = [&](int shift) { text += static_cast<char>(0x80u | (code_point >> shift & 0x3Fu)); };
  if (code_point < 0x80) {
    text += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    text += static_cast<char>(0xC0u | code_point >> 6);
    tail(0);
  } else if (code_point < 0x10000) {
    text += static_cast<char>(0xE0u | code_point >> 12);
    tail(6), tail(0);
  } else {
    text += static_cast<char>(0xF0u | code_point >> 18);
    tail(12), tail(6), tail(0);
  }
}

}  // namespace assay
