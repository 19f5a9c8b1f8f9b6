// Calls with Python's argument rules, and the form in which filters, tests, methods and functions are listed.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/value.h"

namespace assay::jinja {

struct Call {
  std::vector<Value> args;
  std::vector<std::pair<std::string, Value>> kwargs;
};

/// Arguments of one call, bound to the parameters of a signature.
class Args {
 public:
  /// `signature` is parameter names separated by spaces: `name` must be given, `name=` may be left out; a
  /// last `/` makes all of them positional only; `*` and `**` take any further positional and keyword
  /// arguments, left in rest(). Throws Fault as Python's TypeError does; `function` names the callee in the
  /// message.
  Args(const Call& call, std::string_view signature, std::string_view function);

  /// Was parameter `i` (from 0) given, and not as none?
  bool given(size_t i) const { return values_[i] && !values_[i]->is_none(); }
  bool passed(size_t i) const { return values_[i].has_value(); }
  const Value& operator[](size_t i) const { return *values_[i]; }
  const Call& rest() const { return rest_; }

  /// Typed access; a parameter that was not passed gives `otherwise`. Throws Fault on another type.
  int64_t integer(size_t i, int64_t otherwise = 0) const;
  bool truthy(size_t i, bool otherwise = false) const { return passed(i) ? values_[i]->truthy() : otherwise; }
  /// Throws Fault unless parameter `i` is a string.
  const Text& text(size_t i) const;
  Value or_none(size_t i) const { return passed(i) ? *values_[i] : Value(); }

 private:
  std::vector<std::optional<Value>> values_;
  Call rest_;
};

/// One filter, test, method or function: the tables of this folder are lists of these.
struct Builtin {
  std::string_view name;
  std::string_view signature;  // of the arguments after `self`
  /// `self`: the piped value, the tested value, the object of the method; none for a function.
  Value (*apply)(Runtime& runtime, const Value& self, const Args& args);
};

/// Binds and applies. Throws Fault.
Value invoke(Runtime& runtime, const Builtin& builtin, const Value& self, const Call& call);

const Builtin* find_filter(std::string_view name);
const Builtin* find_test(std::string_view name);
/// Method `name` of values of `self`'s type; null when there is none.
const Builtin* find_method(const Value& self, std::string_view name);
/// Is `name` a method that would change `self`? The sandbox refuses these.
bool is_mutating_method(const Value& self, std::string_view name);

}  // namespace assay::jinja
