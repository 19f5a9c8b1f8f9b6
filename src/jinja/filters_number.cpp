// Filters that make numbers.
#include <array>
#include <cmath>
#include <cstdio>

#include "jinja/filters.h"
#include "jinja/number.h"
#include "jinja/operators.h"

namespace assay::jinja {
namespace {

Value do_abs(Runtime&, const Value& self, const Args&) {
  if (const auto i = self.as_index()) return *i < 0 ? negate(*i) : Value(*i);
  if (const auto* f = self.as<double>()) return std::fabs(*f);
  fail("bad operand type for abs(): '" + self.type_name() + "'");
}

std::optional<double> float_of(const Value& value) {
  if (const auto* text = value.as<Text>()) return parse_float(text->bytes());
  return value.as_float();
}

Value do_int(Runtime&, const Value& self, const Args& args) {
  require_defined(self);
  const Value otherwise = args.passed(0) ? args[0] : Value(int64_t(0));
  if (const auto i = self.as_index()) return *i;
  if (const auto* text = self.as<Text>())
    if (const auto i = parse_integer(text->bytes(), int(args.integer(1, 10)))) return *i;
  const auto number = float_of(self);
  const auto whole = number ? truncate_float(*number) : std::nullopt;
  return whole ? Value(*whole) : otherwise;
}

Value do_float(Runtime&, const Value& self, const Args& args) {
  require_defined(self);
  const auto number = float_of(self);
  if (number) return *number;
  return args.passed(0) ? args[0] : Value(0.0);
}

Value do_round(Runtime&, const Value& self, const Args& args) {
  const std::string method = args.passed(1) ? args.text(1).bytes() : "common";
  const int64_t precision = args.integer(0);
  if (method != "common" && method != "ceil" && method != "floor")
    fail("method must be common, ceil or floor");
  const auto number = self.as_float();
  if (!number) fail("type " + self.type_name() + " doesn't define __round__ method");
  if (method == "common") {
    const auto i = self.as_index();
    if (!i) return round_float(*number, precision);
    if (precision >= 0) return *i;
    return truncate_float(round_float(double(*i), precision)).value_or(0);
  }
  const double scale = std::pow(10.0, double(precision));
  const double scaled = *number * scale;
  if (!std::isfinite(scaled)) fail("cannot convert a float that is not finite to integer");
  const double whole = method == "ceil" ? std::ceil(scaled) : std::floor(scaled);
  return (whole + 0.0) / scale;  // Python goes through an int, which has no -0
}

Value do_filesizeformat(Runtime& runtime, const Value& self, const Args& args) {
  const auto number = float_of(self);
  if (!number) fail("could not convert to float: " + to_repr(runtime.meter, self).bytes());
  const bool binary = args.truthy(0);
  const double base = binary ? 1024 : 1000;
  if (*number == 1) return Value::literal("1 Byte");
  if (*number < base) return Value::literal(std::to_string(truncate_float(*number).value_or(0)) + " Bytes");
  constexpr std::array<const char*, 8> kBinary = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"};
  constexpr std::array<const char*, 8> kDecimal = {"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"};
  double unit = base * base;
  size_t i = 0;
  for (; i + 1 < kBinary.size() && *number >= unit; ++i) unit *= base;
  char buffer[400];
  std::snprintf(buffer, sizeof buffer, "%.1f %s", base * *number / unit, binary ? kBinary[i] : kDecimal[i]);
  return Value::literal(buffer);
}

constexpr std::array kFilters = {
    Builtin{"abs", "", do_abs},
    Builtin{"filesizeformat", "binary=", do_filesizeformat},
    Builtin{"float", "default=", do_float},
    Builtin{"int", "default= base=", do_int},
    Builtin{"round", "precision= method=", do_round},
};

}  // namespace

std::span<const Builtin> number_filters() {
  return kFilters;
}

}  // namespace assay::jinja
