// Filters that make text.
#include <array>
#include <limits>

#include "jinja/filters.h"
#include "jinja/format.h"
#include "jinja/json_text.h"
#include "jinja/text_ops.h"
#include "jinja/unicode.h"

namespace assay::jinja {
namespace {

/// str(value), which most filters begin with.
Text input_text(Runtime& runtime, const Value& value) {
  Text text = to_text(runtime.meter, value);
  runtime.meter.text(text.size());
  return text;
}

template <Text (*kMap)(const Text&)>
Value map_text(Runtime& runtime, const Value& self, const Args&) {
  return runtime.meter.string(kMap(input_text(runtime, self)));
}

Text same(const Text& text) {
  return text;
}

/// The title filter: a word also ends at - ( { [ <, unlike with str.title.
Text title_words(const Text& text) {
  constexpr std::u32string_view kBreaks = U"-({[<";
  Text out;
  bool starts = true;
  for (const CodePoint& c : code_points(text.bytes())) {
    std::string piece;
    if (starts)
      append_upper(piece, c.value);
    else
      append_lower(piece, c.value);
    out.append(piece, text.from_data_at(c.begin));
    starts = is_space(c.value) || kBreaks.find(c.value) != std::u32string_view::npos;
  }
  return out;
}

Value markup(Runtime& runtime, Text text) {
  text.is_markup = true;
  return runtime.meter.string(std::move(text));
}

Value do_safe(Runtime& runtime, const Value& self, const Args&) {
  return markup(runtime, input_text(runtime, self));
}

Value do_escape(Runtime& runtime, const Value& self, const Args&) {
  Text text = input_text(runtime, self);
  return markup(runtime, text.is_markup ? std::move(text) : html_escaped(text));
}

Value do_forceescape(Runtime& runtime, const Value& self, const Args&) {
  return markup(runtime, html_escaped(input_text(runtime, self)));
}

Value do_trim(Runtime& runtime, const Value& self, const Args& args) {
  const auto chars = args.given(0) ? std::optional<std::string>(args.text(0).bytes()) : std::nullopt;
  return runtime.meter.string(strip(input_text(runtime, self), Side::both, chars));
}

Value do_replace(Runtime& runtime, const Value& self, const Args& args) {
  const Text text = input_text(runtime, self);
  const int64_t count = args.given(2) ? args.integer(2) : -1;
  return runtime.meter.string(
      replace(runtime.meter, text, input_text(runtime, args[0]), input_text(runtime, args[1]), count));
}

Value do_center(Runtime& runtime, const Value& self, const Args& args) {
  return runtime.meter.string(
      padded(runtime.meter, input_text(runtime, self), args.integer(0, 80), Side::both, " "));
}

Value do_format(Runtime& runtime, const Value& self, const Args& args) {
  const Call& call = args.rest();
  if (!call.args.empty() && !call.kwargs.empty())
    fail("format takes positional or keyword arguments, not both");
  if (call.kwargs.empty())
    return format_printf(runtime.meter, input_text(runtime, self), runtime.meter.tuple(call.args));
  Dict named;
  for (const auto& kwarg : call.kwargs)
    named.insert(runtime.meter, Value::literal(kwarg.first), kwarg.second);
  return format_printf(runtime.meter, input_text(runtime, self), runtime.meter.dict(std::move(named)));
}

Value do_indent(Runtime& runtime, const Value& self, const Args& args) {
  const auto* text = self.as<Text>();
  if (!text) {
    require_defined(self);
    fail("indent needs a string, got '" + self.type_name() + "'");
  }
  Meter& meter = runtime.meter;
  meter.text(text->size());
  const bool by_text = args.passed(0) && args[0].as<Text>();
  const Text indentation =
      by_text ? args.text(0) : padded(meter, Text(), args.integer(0, 4), Side::right, " ");
  const bool first = args.truthy(1), blank = args.truthy(2);
  Text with_end = *text;
  with_end.append("\n");
  Text out;
  if (first) out.append(indentation);
  bool is_first_line = true;
  for (const Text& line : split_lines(with_end, false)) {
    if (!is_first_line) {
      out.append("\n");
      if (blank || !line.empty()) out.append(indentation);
    }
    is_first_line = false;
    out.append(line);
    if (out.size() > meter.limits().string_bytes) meter.text(out.size());
    meter.step(1 + indentation.size() / 16);
  }
  return meter.string(std::move(out));
}

Value do_truncate(Runtime& runtime, const Value& self, const Args& args) {
  const Text end = args.passed(2) ? args.text(2) : Text("...");
  const int64_t length = args.integer(0, 255), leeway = args.given(3) ? args.integer(3) : 5;
  const int64_t end_length = int64_t(count_code_points(end.bytes()));
  if (length < end_length || leeway < 0)
    fail("truncate: length shorter than the end mark, or negative leeway");
  const auto self_length = length_of(self);
  if (!self_length) fail("object of type '" + self.type_name() + "' has no len()");
  if (*self_length - leeway <= length) return self;
  const auto* text = self.as<Text>();
  if (!text) fail("truncate needs a string, got '" + self.type_name() + "'");
  runtime.meter.text(text->size());
  Text kept = text->slice(0, code_points(text->bytes())[size_t(length - end_length)].begin);
  if (!args.truthy(1)) {
    const size_t space = kept.bytes().rfind(' ');
    if (space != std::string::npos) kept = kept.slice(0, space);
  }
  kept.append(end);
  return runtime.meter.string(std::move(kept));
}

Value do_wordcount(Runtime& runtime, const Value& self, const Args&) {
  int64_t n = 0;
  bool in_word = false;
  for (const CodePoint& c : code_points(input_text(runtime, self).bytes())) {
    const bool is_word = c.value == '_' || is_alpha(c.value) || is_numeric(c.value);
    if (is_word && !in_word) ++n;
    in_word = is_word;
  }
  return n;
}

/// Percent-encodes all bytes but letters, digits and `_.-~`; `/` too when `for_query`, which writes a space
/// as +.
void append_quoted(Text& out, const Text& text, bool for_query) {
  constexpr char kHex[] = "0123456789ABCDEF";
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text.bytes()[i]);
    const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= 'a' && byte <= 'z') || byte == '_' || byte == '.' || byte == '-' ||
                       byte == '~' || (byte == '/' && !for_query);
    if (plain)
      out.append(text, i, i + 1);
    else if (byte == ' ' && for_query)
      out.append("+", text.from_data_at(i));
    else
      out.append(std::string{'%', kHex[byte >> 4], kHex[byte & 15]}, text.from_data_at(i));
  }
}

Value do_urlencode(Runtime& runtime, const Value& self, const Args&) {
  Text out;
  if (self.as<Text>() || !is_iterable(self)) {
    append_quoted(out, input_text(runtime, self), false);
    return runtime.meter.string(std::move(out));
  }
  std::vector<Value> pairs;
  if (const auto* dict = self.as<Dict>())
    for (const auto& item : dict->items()) pairs.push_back(runtime.meter.tuple({item.first, item.second}));
  else
    pairs = iterate(runtime, self);
  for (const Value& pair : pairs) {
    const std::vector<Value> parts = iterate(runtime, pair);
    if (parts.size() != 2) fail("urlencode needs pairs");
    if (&pair != &pairs.front()) out.append("&");
    append_quoted(out, input_text(runtime, parts[0]), true);
    out.append("=");
    append_quoted(out, input_text(runtime, parts[1]), true);
  }
  return runtime.meter.string(std::move(out));
}

/// tojson of transformers: json.dumps with ensure_ascii off, and no HTML escapes.
Value do_tojson(Runtime& runtime, const Value& self, const Args& args) {
  JsonStyle style;
  style.ensure_ascii = args.truthy(0);
  style.sort_keys = args.truthy(3);
  if (args.given(1)) {
    const bool by_text = args[1].as<Text>() != nullptr;
    style.indent = by_text ? args.text(1).bytes()
                           : padded(runtime.meter, Text(), args.integer(1), Side::right, " ").bytes();
    style.item_separator = Text(",");
  }
  if (args.given(2)) {
    const std::vector<Value> separators = iterate(runtime, args[2]);
    if (separators.size() != 2 || !separators[0].as<Text>() || !separators[1].as<Text>())
      fail("separators must be two strings");
    style.item_separator = *separators[0].as<Text>();
    style.key_separator = *separators[1].as<Text>();
  }
  return runtime.meter.string(to_json(runtime.meter, self, style));
}

Value do_xmlattr(Runtime& runtime, const Value& self, const Args& args) {
  const auto* dict = self.as<Dict>();
  if (!dict) fail("xmlattr needs a mapping");
  Text out;
  for (const auto& item : dict->items()) {
    if (item.second.is_none() || item.second.is_undefined()) continue;
    const auto* name = item.first.as<Text>();
    if (!name) fail("xmlattr needs strings as keys");
    if (name->bytes().find_first_of(" \t\n\r\f\v/>=") != std::string::npos)
      fail("invalid character in attribute name '" + name->bytes() + "'");
    if (!out.empty() || args.truthy(0, true)) out.append(" ");
    out.append(html_escaped(*name));
    out.append("=\"");
    out.append(html_escaped(input_text(runtime, item.second)));
    out.append("\"");
  }
  return runtime.meter.string(std::move(out));
}

constexpr std::array kFilters = {
    Builtin{"capitalize", "", map_text<capitalize>},
    Builtin{"center", "width=", do_center},
    Builtin{"e", "", do_escape},
    Builtin{"escape", "", do_escape},
    Builtin{"forceescape", "", do_forceescape},
    Builtin{"format", "* **", do_format},
    Builtin{"indent", "width= first= blank=", do_indent},
    Builtin{"lower", "", map_text<to_lower>},
    Builtin{"replace", "old new count=", do_replace},
    Builtin{"safe", "", do_safe},
    Builtin{"string", "", map_text<same>},
    Builtin{"title", "", map_text<title_words>},
    Builtin{"tojson", "ensure_ascii= indent= separators= sort_keys=", do_tojson},
    Builtin{"trim", "chars=", do_trim},
    Builtin{"truncate", "length= killwords= end= leeway=", do_truncate},
    Builtin{"upper", "", map_text<to_upper>},
    Builtin{"urlencode", "", do_urlencode},
    Builtin{"wordcount", "", do_wordcount},
    Builtin{"xmlattr", "autospace=", do_xmlattr},
};

}  // namespace

std::span<const Builtin> text_filters() {
  return kFilters;
}

}  // namespace assay::jinja
