// Filters that choose items or apply other filters and tests to them.
#include <array>

#include "jinja/filters.h"

namespace assay::jinja {
namespace {

Value do_default(Runtime&, const Value& self, const Args& args) {
  if (!self.is_undefined() && !(args.truthy(1) && !self.truthy())) return self;
  return args.passed(0) ? args[0] : Value::literal("");
}

/// map(attribute=...), or map('filter', arguments...).
Value do_map(Runtime& runtime, const Value& self, const Args& args) {
  const Call& call = args.rest();
  return make_generator(runtime, self, [&runtime, self, call] {
    std::vector<Value> out;
    if (!self.truthy()) return out;
    if (call.args.empty()) {
      Value attribute, otherwise;
      bool has_attribute = false;
      for (const auto& kwarg : call.kwargs) {
        if (kwarg.first == "attribute")
          attribute = kwarg.second, has_attribute = true;
        else if (kwarg.first == "default")
          otherwise = kwarg.second;
        else
          fail("unexpected keyword argument '" + kwarg.first + "'");
      }
      if (!has_attribute) fail("map requires a filter argument");
      const AttributeGetter getter(attribute, otherwise);
      for (const Value& item : iterate(runtime, self)) out.push_back(getter(runtime, item));
      return out;
    }
    const auto* name = call.args[0].as<Text>();
    const Builtin* filter = name ? find_filter(name->bytes()) : nullptr;
    if (!filter) fail("no filter named " + to_repr(runtime.meter, call.args[0]).bytes());
    const Call rest{{call.args.begin() + 1, call.args.end()}, call.kwargs};
    for (const Value& item : iterate(runtime, self)) out.push_back(invoke(runtime, *filter, item, rest));
    return out;
  });
}

/// select, reject (`kByAttribute` false) and selectattr, rejectattr: keeps the items whose test gives
/// `kKeep`.
template <bool kKeep, bool kByAttribute>
Value do_select(Runtime& runtime, const Value& self, const Args& args) {
  const Call& call = args.rest();
  return make_generator(runtime, self, [&runtime, self, call] {
    std::vector<Value> out;
    if (!self.truthy()) return out;
    const size_t n_own = kByAttribute ? 1 : 0;
    if (call.args.size() < n_own) fail("missing parameter for attribute name");
    const AttributeGetter getter(kByAttribute ? call.args[0] : Value());
    const Builtin* test = nullptr;
    Call rest;
    if (call.args.size() > n_own) {
      const auto* name = call.args[n_own].as<Text>();
      test = name ? find_test(name->bytes()) : nullptr;
      if (!test) fail("no test named " + to_repr(runtime.meter, call.args[n_own]).bytes());
      rest = {{call.args.begin() + std::ptrdiff_t(n_own) + 1, call.args.end()}, call.kwargs};
    }
    for (const Value& item : iterate(runtime, self)) {
      const Value value = getter(runtime, item);
      const bool holds = (test ? invoke(runtime, *test, value, rest) : value).truthy();
      if (holds == kKeep) out.push_back(item);
    }
    return out;
  });
}

Value refuse_attr(Runtime&, const Value&, const Args&) {
  refuse("filter 'attr' is not available: templates read data with '.' and '[]'");
}

Value refuse_random(Runtime&, const Value&, const Args&) {
  refuse("filter 'random' is not available: a prompt depends on its input alone");
}

constexpr std::array kFilters = {
    Builtin{"attr", "* **", refuse_attr},
    Builtin{"d", "default_value= boolean=", do_default},
    Builtin{"default", "default_value= boolean=", do_default},
    Builtin{"map", "* **", do_map},
    Builtin{"random", "* **", refuse_random},
    Builtin{"reject", "* **", do_select<false, false>},
    Builtin{"rejectattr", "* **", do_select<false, true>},
    Builtin{"select", "* **", do_select<true, false>},
    Builtin{"selectattr", "* **", do_select<true, true>},
};

}  // namespace

std::span<const Builtin> selection_filters() {
  return kFilters;
}

}  // namespace assay::jinja
