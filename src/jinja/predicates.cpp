// The tests of `value is NAME`.
#include <algorithm>
#include <array>

#include "jinja/call.h"
#include "jinja/operators.h"
#include "jinja/runtime.h"
#include "jinja/unicode.h"

namespace assay::jinja {
namespace {

template <bool kDefined>
Value is_defined(Runtime&, const Value& self, const Args&) {
  return self.is_undefined() != kDefined;
}

template <class T>
Value is_type(Runtime&, const Value& self, const Args&) {
  return self.as<T>() != nullptr;
}

Value is_none(Runtime&, const Value& self, const Args&) {
  return self.is_none();
}

template <bool kWanted>
Value is_bool(Runtime&, const Value& self, const Args&) {
  return self.as<bool>() && *self.as<bool>() == kWanted;
}

Value is_number(Runtime&, const Value& self, const Args&) {
  return self.is_number();
}

Value is_sequence(Runtime&, const Value& self, const Args&) {
  const auto* list = self.as<List>();
  return self.is_undefined() || self.as<Text>() || self.as<Dict>() || self.as<Range>() ||
         (list && !list->is_view());
}

Value is_iterable_value(Runtime&, const Value& self, const Args&) {
  return is_iterable(self);
}

Value is_callable(Runtime&, const Value& self, const Args&) {
  const auto* object = self.object<Object>();
  return self.is_undefined() || (object && object->is_callable());
}

Value is_sameas(Runtime&, const Value& self, const Args& args) {
  return self.is_same(args[0]);
}

Value is_in(Runtime& runtime, const Value& self, const Args& args) {
  return contains(runtime, args[0], self);
}

Value remainder(Runtime& runtime, const Value& self, const Value& divisor) {
  return apply_binary(runtime.meter, BinaryOp::modulo, self, divisor);
}

template <int64_t kRest>
Value has_parity(Runtime& runtime, const Value& self, const Args&) {
  return equal(runtime.meter, remainder(runtime, self, int64_t(2)), kRest);
}

Value is_divisible(Runtime& runtime, const Value& self, const Args& args) {
  return equal(runtime.meter, remainder(runtime, self, args[0]), int64_t(0));
}

template <bool kWanted>
Value is_equal(Runtime& runtime, const Value& self, const Args& args) {
  return equal(runtime.meter, self, args[0]) == kWanted;
}

Value is_less(Runtime& r, const Value& self, const Args& args) {
  return compare(r.meter, self, args[0], "<") < 0;
}
Value is_less_equal(Runtime& r, const Value& self, const Args& args) {
  return compare(r.meter, self, args[0], "<=") <= 0;
}
Value is_greater(Runtime& r, const Value& self, const Args& args) {
  return compare(r.meter, self, args[0], ">") == 1;
}
Value is_greater_equal(Runtime& r, const Value& self, const Args& args) {
  const int order = compare(r.meter, self, args[0], ">=");
  return order == 0 || order == 1;
}

/// str.islower and str.isupper: at least one cased letter, and all of them of that case.
template <bool (*kWanted)(char32_t), bool (*kOther)(char32_t)>
Value has_case(Runtime& runtime, const Value& self, const Args&) {
  const Text text = to_text(runtime.meter, self);
  runtime.meter.text(text.size());
  bool any = false;
  for (const CodePoint& c : code_points(text.bytes())) {
    if (kOther(c.value) || is_title(c.value)) return false;
    any |= kWanted(c.value);
  }
  return any;
}

template <const Builtin* (*kFind)(std::string_view)>
Value is_known(Runtime& runtime, const Value& self, const Args&) {
  hash(runtime.meter, self);  // a name is looked up in a dict there: lists raise
  const auto* name = self.as<Text>();
  return name && kFind(name->bytes()) != nullptr;
}

Value is_escaped(Runtime&, const Value& self, const Args&) {
  return self.as<Text>() && self.as<Text>()->is_markup;
}

constexpr std::array kTests = {
    Builtin{"!=", "other", is_equal<false>},
    Builtin{"<", "other", is_less},
    Builtin{"<=", "other", is_less_equal},
    Builtin{"==", "other", is_equal<true>},
    Builtin{">", "other", is_greater},
    Builtin{">=", "other", is_greater_equal},
    Builtin{"boolean", "", is_type<bool>},
    Builtin{"callable", "", is_callable},
    Builtin{"defined", "", is_defined<true>},
    Builtin{"divisibleby", "num", is_divisible},
    Builtin{"eq", "other", is_equal<true>},
    Builtin{"equalto", "other", is_equal<true>},
    Builtin{"escaped", "", is_escaped},
    Builtin{"even", "", has_parity<0>},
    Builtin{"false", "", is_bool<false>},
    Builtin{"filter", "", is_known<find_filter>},
    Builtin{"float", "", is_type<double>},
    Builtin{"ge", "other", is_greater_equal},
    Builtin{"greaterthan", "other", is_greater},
    Builtin{"gt", "other", is_greater},
    Builtin{"in", "seq", is_in},
    Builtin{"integer", "", is_type<int64_t>},
    Builtin{"iterable", "", is_iterable_value},
    Builtin{"le", "other", is_less_equal},
    Builtin{"lessthan", "other", is_less},
    Builtin{"lower", "", has_case<is_lower, is_upper>},
    Builtin{"lt", "other", is_less},
    Builtin{"mapping", "", is_type<Dict>},
    Builtin{"ne", "other", is_equal<false>},
    Builtin{"none", "", is_none},
    Builtin{"number", "", is_number},
    Builtin{"odd", "", has_parity<1>},
    Builtin{"sameas", "other", is_sameas},
    Builtin{"sequence", "", is_sequence},
    Builtin{"string", "", is_type<Text>},
    Builtin{"test", "", is_known<find_test>},
    Builtin{"true", "", is_bool<true>},
    Builtin{"undefined", "", is_defined<false>},
    Builtin{"upper", "", has_case<is_upper, is_lower>},
};

}  // namespace

const Builtin* find_test(std::string_view name) {
  const auto found =
      std::find_if(kTests.begin(), kTests.end(), [&](const Builtin& t) { return t.name == name; });
  return found == kTests.end() ? nullptr : &*found;
}

}  // namespace assay::jinja
