// The filters, in parts by what they work on. find_filter() in call.h looks through all parts.
#pragma once
#include <optional>
#include <span>
#include <string>

#include "jinja/call.h"
#include "jinja/runtime.h"

namespace assay::jinja {

std::span<const Builtin> text_filters();
std::span<const Builtin> sequence_filters();
std::span<const Builtin> selection_filters();
std::span<const Builtin> number_filters();

/// Reads `attribute` of items as Jinja2's filters do: "a.b.0" goes through `a`, `b` and item 0; an int is an
/// index.
class AttributeGetter {
 public:
  /// none: the item itself. Throws Fault when `attribute` is neither a string nor an int.
  explicit AttributeGetter(const Value& attribute, Value otherwise = Value());
  /// The attribute of `item`; where it is undefined, `otherwise` unless that is none.
  Value operator()(Runtime& runtime, const Value& item) const;

 private:
  std::vector<Value> parts_;
  Value otherwise_;
};

/// `value` in lower case when it is a string: what filters compare unless they are case sensitive.
Value without_case(Runtime& runtime, const Value& value);

}  // namespace assay::jinja
