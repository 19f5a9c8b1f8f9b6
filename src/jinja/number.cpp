#include "jinja/number.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "jinja/template_error.h"

namespace assay::jinja {
namespace {

std::string_view strip(std::string_view text) {
  const char* spaces = " \t\n\v\f\r";
  const size_t begin = text.find_first_not_of(spaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(spaces) - begin + 1);
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'z') return c - 'a' + 10;
  if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
  return 99;
}

/// Base named by a prefix such as 0x, 0 when there is none.
int prefix_base(std::string_view text) {
  if (text.size() < 2 || text[0] != '0') return 0;
  switch (text[1]) {
    case 'x':
    case 'X':
      return 16;
    case 'o':
    case 'O':
      return 8;
    case 'b':
    case 'B':
      return 2;
    default:
      return 0;
  }
}

/// `text` without its underscores; nullopt where one does not stand between two digits.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
      continue;
    }
    const auto is_digit_at = [&](size_t at) {
      return at < text.size() && text[at] >= '0' && text[at] <= '9';
    };
    if (i == 0 || !is_digit_at(i - 1) || !is_digit_at(i + 1)) return std::nullopt;
  }
  return out;
}

}  // namespace

std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  const std::string_view all(buffer, size_t(result.ptr - buffer));
  const size_t e = all.find('e');
  const bool negative = all[0] == '-';
  std::string digits;
  for (const char c : all.substr(negative ? 1 : 0, e - (negative ? 1 : 0)))
    if (c != '.') digits += c;
  const int exponent = std::atoi(std::string(all.substr(e + 1)).c_str());
  std::string out = negative ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    out += digits.substr(0, 1);
    if (digits.size() > 1) out += "." + digits.substr(1);
    char tail[16];
    std::snprintf(tail, sizeof tail, "e%c%02d", exponent < 0 ? '-' : '+', std::abs(exponent));
    return out + tail;
  }
  if (exponent < 0) return out + "0." + std::string(size_t(-exponent - 1), '0') + digits;
  const size_t n_whole = size_t(exponent) + 1;
  if (digits.size() <= n_whole) return out + digits + std::string(n_whole - digits.size(), '0') + ".0";
  return out + digits.substr(0, n_whole) + "." + digits.substr(n_whole);
}

std::optional<int64_t> parse_integer(std::string_view text, int base) {
  if (base != 0 && (base < 2 || base > 36)) return std::nullopt;
  text = strip(text);
  const bool negative = !text.empty() && text[0] == '-';
  if (negative || (!text.empty() && text[0] == '+')) text.remove_prefix(1);
  const int named = prefix_base(text);
  bool underscore_may_lead = false;
  if (named != 0 && (base == 0 || base == named)) {
    base = named;
    text.remove_prefix(2);
    underscore_may_lead = true;
  } else if (base == 0) {
    base = 10;
    if (text.size() > 1 && text[0] == '0' && text.find_first_not_of("0_") != std::string_view::npos)
      return std::nullopt;
  }
  uint64_t magnitude = 0;
  bool digit_before = underscore_may_lead, any = false, too_large = false;
  for (const char c : text) {
    if (c == '_') {
      if (!digit_before) return std::nullopt;
      digit_before = false;
      continue;
    }
    const int digit = digit_value(c);
    if (digit >= base) return std::nullopt;
    any = digit_before = true;
    const uint64_t most = std::numeric_limits<uint64_t>::max();
    if (magnitude > (most - uint64_t(digit)) / uint64_t(base)) too_large = true;
    magnitude = magnitude * uint64_t(base) + uint64_t(digit);
  }
  if (!any || !digit_before) return std::nullopt;
  const uint64_t limit = uint64_t(std::numeric_limits<int64_t>::max()) + (negative ? 1 : 0);
  if (too_large || magnitude > limit) fail("integer does not fit 64 bits");
  return negative ? int64_t(0 - magnitude) : int64_t(magnitude);
}

std::optional<double> parse_float(std::string_view text) {
  const auto plain = without_underscores(strip(text));
  if (!plain || plain->empty()) return std::nullopt;
  const size_t sign = (*plain)[0] == '+' || (*plain)[0] == '-' ? 1 : 0;
  std::string word = plain->substr(sign);
  for (char& c : word)
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  const bool named = word == "inf" || word == "infinity" || word == "nan";
  // strtod also reads hexadecimal, which Python refuses.
  if (!named && word.find_first_not_of("0123456789.e+-") != std::string::npos) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(plain->c_str(), &end);
  if (end != plain->c_str() + plain->size()) return std::nullopt;
  return value;
}

std::optional<int64_t> truncate_float(double value) {
  if (std::isnan(value)) return std::nullopt;
  if (std::isinf(value)) fail("cannot convert float infinity to integer");
  if (value >= 0x1p63 || value < -0x1p63) fail("integer does not fit 64 bits");
  return int64_t(value);
}

double round_float(double value, int64_t n_digits) {
  if (!std::isfinite(value) || n_digits > 323) return value;
  if (n_digits < -308) return std::copysign(0.0, value);
  if (n_digits >= 0) {
    char buffer[700];  // 309 digits before the point, 323 after it
    std::snprintf(buffer, sizeof buffer, "%.*f", int(n_digits), value);
    return std::strtod(buffer, nullptr);
  }
  // Rounds the exact value: its whole part in digits, the rest only breaks ties.
  char whole[400];
  std::snprintf(whole, sizeof whole, "%.0f", std::trunc(std::fabs(value)));
  std::string digits = whole;
  const size_t n_cut = size_t(-n_digits);
  if (digits.size() < n_cut) return std::copysign(0.0, value);
  const std::string cut = digits.substr(digits.size() - n_cut);
  std::string kept = "0" + digits.substr(0, digits.size() - n_cut);
  const bool exact_half =
      cut[0] == '5' && cut.find_first_not_of('0', 1) == std::string::npos && std::trunc(value) == value;
  const bool up = exact_half ? (kept.back() - '0') % 2 == 1 : cut[0] >= '5';
  if (up) {
    size_t i = kept.size() - 1;
    while (kept[i] == '9') kept[i--] = '0';
    ++kept[i];
  }
  return std::copysign(std::strtod((kept + "e" + std::to_string(n_cut)).c_str(), nullptr), value);
}

}  // namespace assay::jinja
