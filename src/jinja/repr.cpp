// str() and repr() of values, as Python prints them.
#include <cstdio>

#include "jinja/number.h"
#include "jinja/unicode.h"
#include "jinja/value.h"

namespace assay::jinja {
namespace {

void append_escaped(Text& out, char32_t c, bool from_data) {
  char buffer[16];
  if (c == '\n' || c == '\r' || c == '\t')
    std::snprintf(buffer, sizeof buffer, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
  else
    std::snprintf(buffer, sizeof buffer,
                  c < 0x100     ? "\\x%02x"
                  : c < 0x10000 ? "\\u%04x"
                                : "\\U%08x",
                  unsigned(c));
  out.append(buffer, from_data);
}

void append_quoted(Text& out, const Text& text) {
  const std::string& bytes = text.bytes();
  const bool double_quotes = bytes.find('\'') != std::string::npos && bytes.find('"') == std::string::npos;
  const char quote = double_quotes ? '"' : '\'';
  out.append(std::string_view(&quote, 1));
  for (const CodePoint& c : code_points(bytes)) {
    const bool from_data = text.from_data_at(c.begin);
    if (c.value == char32_t(quote) || c.value == '\\') out.append("\\", from_data);
    if (is_printable(c.value))
      out.append(text, c.begin, c.end);
    else
      append_escaped(out, c.value, from_data);
  }
  out.append(std::string_view(&quote, 1));
}

void append_string(Text& out, const Text& text) {
  if (text.is_markup) out.append("Markup(");
  append_quoted(out, text);
  if (text.is_markup) out.append(")");
}

void append_repr(Meter& meter, Text& out, const Value& value);

void append_items(Meter& meter, Text& out, const std::vector<Value>& items) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out.append(", ");
    append_repr(meter, out, items[i]);
  }
}

void append_list(Meter& meter, Text& out, const List& list, const std::string& type) {
  if (list.is_view()) out.append(type + "(");
  out.append(list.is_tuple() ? "(" : "[");
  append_items(meter, out, list.items);
  if (list.is_tuple() && list.items.size() == 1) out.append(",");
  out.append(list.is_tuple() ? ")" : "]");
  if (list.is_view()) out.append(")");
}

void append_dict(Meter& meter, Text& out, const Dict& dict) {
  out.append("{");
  for (const auto& item : dict.items()) {
    if (&item != &dict.items().front()) out.append(", ");
    append_repr(meter, out, item.first);
    out.append(": ");
    append_repr(meter, out, item.second);
  }
  out.append("}");
}

std::string range_repr(const Range& range) {
  std::string text = "range(" + std::to_string(range.start) + ", " + std::to_string(range.stop);
  if (range.step != 1) text += ", " + std::to_string(range.step);
  return text + ")";
}

void append_repr(Meter& meter, Text& out, const Value& value) {
  const size_t before = out.size();
  if (value.is_none())
    out.append("None");
  else if (value.is_undefined())
    out.append("Undefined");
  else if (const auto* b = value.as<bool>())
    out.append(*b ? "True" : "False");
  else if (const auto* i = value.as<int64_t>())
    out.append(std::to_string(*i));
  else if (const auto* f = value.as<double>())
    out.append(float_repr(*f));
  else if (const auto* text = value.as<Text>())
    append_string(out, *text);
  else if (const auto* list = value.as<List>())
    append_list(meter, out, *list, value.type_name());
  else if (const auto* dict = value.as<Dict>())
    append_dict(meter, out, *dict);
  else if (const auto* range = value.as<Range>())
    out.append(range_repr(*range));
  else
    out.append(value.object<Object>()->repr());
  if (out.size() > meter.limits().string_bytes) meter.text(out.size());
  meter.step(1 + (out.size() - before) / 16);
}

}  // namespace

Text to_text(Meter& meter, const Value& value) {
  if (const auto* text = value.as<Text>()) return *text;
  if (value.is_undefined()) return {};
  return to_repr(meter, value);
}

Text to_repr(Meter& meter, const Value& value) {
  Text out;
  append_repr(meter, out, value);
  return out;
}

}  // namespace assay::jinja
