#include "jinja/filters.h"

#include <algorithm>
#include <array>

#include "jinja/number.h"
#include "jinja/text_ops.h"
#include "jinja/unicode.h"

namespace assay::jinja {
namespace {

Value path_part(const std::string& word) {
  const auto points = code_points(word);
  const bool is_index = !points.empty() && std::all_of(points.begin(), points.end(), [](const CodePoint& c) {
    return c.value < 0x80 && is_digit(c.value);
  });
  return is_index ? Value(parse_integer(word, 10).value_or(0)) : Value::literal(word);
}

}  // namespace

AttributeGetter::AttributeGetter(const Value& attribute, Value otherwise) : otherwise_(std::move(otherwise)) {
  require_defined(attribute);
  if (attribute.is_none()) return;
  if (const auto* text = attribute.as<Text>()) {
    for (const Text& word : split(*text, ".", -1)) parts_.push_back(path_part(word.bytes()));
  } else {
    parts_.push_back(attribute);
  }
}

Value AttributeGetter::operator()(Runtime& runtime, const Value& item) const {
  Value value = item;
  for (const Value& part : parts_) {
    value = get_item(runtime, value, part);
    if (!otherwise_.is_none() && value.is_undefined()) value = otherwise_;
  }
  return value;
}

Value without_case(Runtime& runtime, const Value& value) {
  const auto* text = value.as<Text>();
  return text ? runtime.meter.string(to_lower(*text)) : value;
}

const Builtin* find_filter(std::string_view name) {
  for (const auto part : {text_filters(), sequence_filters(), selection_filters(), number_filters()})
    for (const Builtin& filter : part)
      if (filter.name == name) return &filter;
  return nullptr;
}

}  // namespace assay::jinja
