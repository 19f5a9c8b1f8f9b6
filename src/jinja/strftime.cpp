#include "jinja/strftime.h"

#include <array>

#include "jinja/template_error.h"

namespace assay::jinja {
namespace {

constexpr std::array<const char*, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                              "Thursday", "Friday", "Saturday"};
constexpr std::array<const char*, 12> kMonths = {"January",   "February", "March",    "April",
                                                 "May",       "June",     "July",     "August",
                                                 "September", "October",  "November", "December"};

template <size_t kCount>
std::string name_of(const std::array<const char*, kCount>& names, int index) {
  return index >= 0 && size_t(index) < kCount ? names[size_t(index)] : "?";
}

std::string digits(int value, size_t width, char pad) {
  std::string text = std::to_string(value);
  if (pad != '\0' && text.size() < width) text.insert(0, width - text.size(), pad);
  return text;
}

int iso_weekday(const std::tm& t) {
  return t.tm_wday == 0 ? 7 : t.tm_wday;
}

std::string convert(char letter, char pad, const std::tm& t) {
  const char space = pad == '0' ? ' ' : pad;
  switch (letter) {
    case 'Y':
      return digits(t.tm_year + 1900, 4, '\0');
    case 'y':
      return digits(((t.tm_year % 100) + 100) % 100, 2, pad);
    case 'm':
      return digits(t.tm_mon + 1, 2, pad);
    case 'd':
      return digits(t.tm_mday, 2, pad);
    case 'e':
      return digits(t.tm_mday, 2, space);
    case 'H':
      return digits(t.tm_hour, 2, pad);
    case 'I':
      return digits((t.tm_hour + 11) % 12 + 1, 2, pad);
    case 'M':
      return digits(t.tm_min, 2, pad);
    case 'S':
      return digits(t.tm_sec, 2, pad);
    case 'j':
      return digits(t.tm_yday + 1, 3, pad);
    case 'u':
      return digits(iso_weekday(t), 1, '\0');
    case 'w':
      return digits(t.tm_wday, 1, '\0');
    case 'U':
      return digits((t.tm_yday + 7 - t.tm_wday) / 7, 2, pad);
    case 'W':
      return digits((t.tm_yday + 8 - iso_weekday(t)) / 7, 2, pad);
    case 'p':
      return t.tm_hour < 12 ? "AM" : "PM";
    case 'A':
      return name_of(kDays, t.tm_wday);
    case 'a':
      return name_of(kDays, t.tm_wday).substr(0, 3);
    case 'B':
      return name_of(kMonths, t.tm_mon);
    case 'b':
    case 'h':
      return name_of(kMonths, t.tm_mon).substr(0, 3);
    case 'f':
      return "000000";  // the clock of a render has whole seconds
    case 'n':
      return "\n";
    case 't':
      return "\t";
    case '%':
      return "%";
    case 'D':
    case 'x':
      return format_time("%m/%d/%y", t);
    case 'F':
      return format_time("%Y-%m-%d", t);
    case 'T':
    case 'X':
      return format_time("%H:%M:%S", t);
    case 'R':
      return format_time("%H:%M", t);
    case 'c':
      return format_time("%a %b %e %H:%M:%S %Y", t);
    default:
      fail(std::string("strftime_now: conversion '%") + letter + "' is not supported");
  }
}

}  // namespace

std::string format_time(std::string_view format, const std::tm& time) {
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    char pad = '0';
    if (i + 1 < format.size() && format[i + 1] == '-') pad = '\0', ++i;
    if (++i >= format.size()) fail("strftime_now: the format ends in '%'");
    out += convert(format[i], pad, time);
  }
  return out;
}

}  // namespace assay::jinja
