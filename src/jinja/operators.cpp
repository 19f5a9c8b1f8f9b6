#include "jinja/operators.h"

#include <array>
#include <cmath>
#include <limits>

#include "jinja/format.h"
#include "jinja/text_ops.h"

namespace assay::jinja {
namespace {

constexpr std::array<const char*, 7> kSymbols = {"+", "-", "*", "/", "//", "%", "**"};

[[noreturn]] void fail_types(BinaryOp op, const Value& a, const Value& b) {
  fail("unsupported operand types for " + std::string(kSymbols[size_t(op)]) + ": '" + a.type_name() +
       "' and '" + b.type_name() + "'");
}

[[noreturn]] void fail_overflow() {
  fail("integer result does not fit 64 bits");
}
[[noreturn]] void fail_zero() {
  fail("division by zero");
}

int64_t integer_power(int64_t base, int64_t exponent) {
  int64_t result = 1;
  while (true) {
    if (exponent & 1)
      if (__builtin_mul_overflow(result, base, &result)) fail_overflow();
    exponent >>= 1;
    if (exponent == 0) return result;
    if (__builtin_mul_overflow(base, base, &base)) fail_overflow();
  }
}

double floor_modulo(double a, double b) {
  double rest = std::fmod(a, b);
  if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
  return rest != 0 ? rest : std::copysign(0.0, b);
}

/// a // b as CPython computes it: from the exact remainder, then to the nearest whole number.
double floor_quotient(double a, double b) {
  const double rest = std::fmod(a, b);
  double quotient = (a - rest) / b;
  if (rest != 0 && (rest < 0) != (b < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(0.0, a / b);
  const double whole = std::floor(quotient);
  return quotient - whole > 0.5 ? whole + 1 : whole;
}

Value integer_op(BinaryOp op, int64_t a, int64_t b) {
  constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
  int64_t result = 0;
  bool overflow = false;
  switch (op) {
    case BinaryOp::add:
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case BinaryOp::subtract:
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case BinaryOp::multiply:
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    case BinaryOp::divide:
      if (b == 0) fail_zero();
      return double(a) / double(b);
    case BinaryOp::floor_divide:
      if (b == 0) fail_zero();
      if (a == kLowest && b == -1) fail_overflow();
      result = a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
      break;
    case BinaryOp::modulo:
      if (b == 0) fail_zero();
      if (b == -1) return int64_t(0);
      result = a % b;
      if (result != 0 && (result < 0) != (b < 0)) result += b;
      break;
    case BinaryOp::power:
      if (b >= 0) return integer_power(a, b);
      if (a == 0) fail("0 cannot be raised to a negative power");
      return std::pow(double(a), double(b));
  }
  if (overflow) fail_overflow();
  return result;
}

Value float_op(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::add:
      return a + b;
    case BinaryOp::subtract:
      return a - b;
    case BinaryOp::multiply:
      return a * b;
    case BinaryOp::divide:
      if (b == 0) fail_zero();
      return a / b;
    case BinaryOp::floor_divide:
      if (b == 0) fail_zero();
      return floor_quotient(a, b);
    case BinaryOp::modulo:
      if (b == 0) fail_zero();
      return floor_modulo(a, b);
    case BinaryOp::power:
      break;
  }
  if (a == 0 && b < 0) fail("0.0 cannot be raised to a negative power");
  if (a < 0 && std::isfinite(a) && std::isfinite(b) && std::trunc(b) != b)
    refuse("complex numbers are not supported: a negative number to a fractional power");
  const double result = std::pow(a, b);
  if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) fail("float result is too large");
  return result;
}

Value repeat(Meter& meter, const Value& sequence, int64_t count) {
  const uint64_t times = count > 0 ? uint64_t(count) : 0;
  if (const auto* text = sequence.as<Text>()) {
    if (times > 0 && text->size() > meter.limits().string_bytes / times) meter.text(size_t(-1));
    meter.text(text->size() * times);
    Text out;
    for (uint64_t i = 0; i < times && !text->empty(); ++i) out.append(*text);
    return meter.string(std::move(out));
  }
  const List& list = *sequence.as<List>();
  if (times > 0 && list.items.size() > meter.limits().steps / times)
    fail_limit("list of more than " + std::to_string(meter.limits().steps) + " items");
  meter.step(list.items.size() * times);
  std::vector<Value> items;
  items.reserve(list.items.size() * times);
  for (uint64_t i = 0; i < times && !list.items.empty(); ++i)
    items.insert(items.end(), list.items.begin(), list.items.end());
  return meter.list(std::move(items), list.is_tuple() ? List::Kind::tuple : List::Kind::list);
}

bool is_sequence(const Value& value) {
  return value.as<Text>() || (value.as<List>() && !value.as<List>()->is_view());
}

Value concatenate_texts(Meter& meter, const Text& a, const Text& b) {
  meter.text(a.size() + b.size());
  const bool is_markup = a.is_markup || b.is_markup;
  Text out = is_markup && !a.is_markup ? html_escaped(a) : a;
  out.append(is_markup && !b.is_markup ? html_escaped(b) : b);
  out.is_markup = is_markup;
  return meter.string(std::move(out));
}

Value concatenate(Meter& meter, const Value& a, const Value& b) {
  if (a.as<Text>() && b.as<Text>()) return concatenate_texts(meter, *a.as<Text>(), *b.as<Text>());
  const auto *x = a.as<List>(), *y = b.as<List>();
  if (!x || !y || x->is_tuple() != y->is_tuple()) fail_types(BinaryOp::add, a, b);
  meter.step(x->items.size() + y->items.size());
  std::vector<Value> items = x->items;
  items.insert(items.end(), y->items.begin(), y->items.end());
  return meter.list(std::move(items), x->is_tuple() ? List::Kind::tuple : List::Kind::list);
}

}  // namespace

Value apply_binary(Meter& meter, BinaryOp op, const Value& a, const Value& b) {
  if (op == BinaryOp::modulo && a.as<Text>()) return format_printf(meter, *a.as<Text>(), b);
  require_defined(a);
  require_defined(b);
  const auto i = a.as_index(), j = b.as_index();
  if (i && j) return integer_op(op, *i, *j);
  if (a.is_number() && b.is_number()) return float_op(op, *a.as_float(), *b.as_float());
  if (op == BinaryOp::add && is_sequence(a) && is_sequence(b)) return concatenate(meter, a, b);
  if (op == BinaryOp::multiply && is_sequence(a) && j) return repeat(meter, a, *j);
  if (op == BinaryOp::multiply && is_sequence(b) && i) return repeat(meter, b, *i);
  fail_types(op, a, b);
}

Value negate(const Value& a) {
  require_defined(a);
  if (const auto i = a.as_index()) {
    if (*i == std::numeric_limits<int64_t>::min()) fail_overflow();
    return -*i;
  }
  if (const auto* f = a.as<double>()) return -*f;
  fail("bad operand type for unary -: '" + a.type_name() + "'");
}

Value positive(const Value& a) {
  require_defined(a);
  if (const auto i = a.as_index()) return *i;
  if (const auto* f = a.as<double>()) return *f;
  fail("bad operand type for unary +: '" + a.type_name() + "'");
}

}  // namespace assay::jinja
