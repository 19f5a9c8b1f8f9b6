#include "jinja/unicode.h"

#include <utf8proc.h>

namespace assay::jinja {
namespace {

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(utf8proc_int32_t(c));
}

bool is_letter(utf8proc_category_t k) {
  return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}
bool is_mark(utf8proc_category_t k) {
  return k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_MC;
}

/// Superscripts, subscripts and circled digits: Numeric_Type=Digit without being decimal.
bool is_typographic_digit(char32_t c) {
  return c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 || (c >= 0x2074 && c <= 0x2079) ||
         (c >= 0x2080 && c <= 0x2089) || (c >= 0x2460 && c <= 0x2468) || (c >= 0x2474 && c <= 0x247C) ||
         (c >= 0x2488 && c <= 0x2490);
}

}  // namespace

CodePoint code_point_at(std::string_view text, size_t offset) {
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + offset;
  if (*bytes < 0x80) return {*bytes, offset, offset + 1};
  utf8proc_int32_t value = 0;
  const utf8proc_ssize_t n_bytes = utf8proc_iterate(bytes, utf8proc_ssize_t(text.size() - offset), &value);
  if (n_bytes <= 0) return {0xFFFD, offset, offset + 1};
  return {char32_t(value), offset, offset + size_t(n_bytes)};
}

std::vector<CodePoint> code_points(std::string_view text) {
  std::vector<CodePoint> out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); i = out.back().end) out.push_back(code_point_at(text, i));
  return out;
}

size_t count_code_points(std::string_view text) {
  size_t n = 0;
  for (size_t i = 0; i < text.size(); ++n) i = code_point_at(text, i).end;
  return n;
}

bool is_valid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text, i);
    if (c.value == 0xFFFD && c.end == i + 1) return false;
    i = c.end;
  }
  return true;
}

void append_utf8(std::string& out, char32_t code_point) {
  utf8proc_uint8_t bytes[4];
  const utf8proc_ssize_t n_bytes = utf8proc_encode_char(utf8proc_int32_t(code_point), bytes);
  out.append(reinterpret_cast<const char*>(bytes), size_t(n_bytes));
}

bool is_space(char32_t c) {
  return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}
bool is_alpha(char32_t c) {
  return is_letter(category(c));
}
bool is_decimal(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_ND;
}
bool is_digit(char32_t c) {
  return is_decimal(c) || is_typographic_digit(c);
}
bool is_numeric(char32_t c) {
  const auto k = category(c);
  return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO;
}
bool is_upper(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LU;
}
bool is_lower(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LL || c == 0xAA || c == 0xBA;
}
bool is_title(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LT;
}
bool is_printable(char32_t c) {
  if (c == ' ') return true;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return false;
    default:
      return true;
  }
}
bool is_name_start(char32_t c) {
  return c == '_' || is_alpha(c) || category(c) == UTF8PROC_CATEGORY_NL;
}
bool is_name_part(char32_t c) {
  const auto k = category(c);
  return is_name_start(c) || k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_PC || is_mark(k);
}

void append_upper(std::string& out, char32_t c) {
  if (c == 0xDF)
    out += "SS";
  else
    append_utf8(out, char32_t(utf8proc_toupper(utf8proc_int32_t(c))));
}
void append_lower(std::string& out, char32_t c) {
  append_utf8(out, char32_t(utf8proc_tolower(utf8proc_int32_t(c))));
}
void append_title(std::string& out, char32_t c) {
  if (c == 0xDF)
    out += "Ss";
  else
    append_utf8(out, char32_t(utf8proc_totitle(utf8proc_int32_t(c))));
}

}  // namespace assay::jinja
