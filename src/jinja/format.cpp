#include "jinja/format.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <limits>

#include "jinja/number.h"
#include "jinja/unicode.h"

namespace assay::jinja {
namespace {

constexpr size_t kMaxWidth = 1'000'000;
constexpr int kMaxPrecision = 300;

/// How one value is to be shown: the union of both formatters' specifications.
struct Spec {
  std::string fill = " ";
  char align = '\0';  // < > = ^
  char sign = '-';    // - + or space
  bool alternate = false;
  char grouping = '\0';  // , or _
  size_t width = 0;
  int precision = -1;
  char type = '\0';
};

bool is_one_of(char c, std::string_view set) {
  return c != '\0' && set.find(c) != std::string_view::npos;
}

/// Digits at `at`, moved past; nullopt when there are none. Throws Fault above `most`.
std::optional<size_t> read_count(std::string_view text, size_t& at, size_t most) {
  if (at >= text.size() || !std::isdigit(static_cast<unsigned char>(text[at]))) return std::nullopt;
  size_t value = 0;
  for (; at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])); ++at) {
    value = value * 10 + size_t(text[at] - '0');
    if (value > most) fail_limit("width or precision above " + std::to_string(most) + " in a format");
  }
  return value;
}

void append_fill(Meter& meter, Text& out, const std::string& fill, size_t n) {
  meter.text(n * fill.size());
  for (size_t i = 0; i < n; ++i) out.append(fill);
}

/// Appends `body`, padded to the width. `n_prefix`: bytes of sign and base prefix, which stay left of `=`
/// padding.
void append_padded(Meter& meter, Text& out, const Text& body, const Spec& spec, char align,
                   size_t n_prefix = 0) {
  const size_t length = count_code_points(body.bytes());
  const size_t n_fill = spec.width > length ? spec.width - length : 0;
  const size_t before = align == '>' ? n_fill : align == '^' ? n_fill / 2 : 0;
  const size_t inside = align == '=' ? n_fill : 0;
  append_fill(meter, out, spec.fill, before);
  out.append(body, 0, align == '=' ? n_prefix : 0);
  append_fill(meter, out, spec.fill, inside);
  out.append(body, align == '=' ? n_prefix : 0, body.size());
  append_fill(meter, out, spec.fill, n_fill - before - inside);
}

std::string grouped(const std::string& digits, char separator, size_t every) {
  if (separator == '\0') return digits;
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % every == 0) out += separator;
    out += digits[i];
  }
  return out;
}

std::string unsigned_digits(uint64_t value, unsigned base, bool upper) {
  std::string out;
  do {
    out += (upper ? "0123456789ABCDEF" : "0123456789abcdef")[value % base];
    value /= base;
  } while (value > 0);
  std::reverse(out.begin(), out.end());
  return out;
}

void append_number(Meter& meter, Text& out, bool negative, const std::string& prefix,
                   const std::string& digits, const Spec& spec) {
  std::string head = negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
  head += prefix;
  const char align = spec.align ? spec.align : '>';
  append_padded(meter, out, Text(head + digits), spec, align, head.size());
}

unsigned base_of(char type) {
  switch (type) {
    case 'x':
    case 'X':
      return 16;
    case 'o':
      return 8;
    case 'b':
      return 2;
    default:
      return 10;
  }
}

void append_integer(Meter& meter, Text& out, int64_t value, const Spec& spec) {
  const unsigned base = base_of(spec.type);
  const uint64_t magnitude = value < 0 ? 0 - uint64_t(value) : uint64_t(value);
  const std::string prefix = spec.alternate && base != 10 ? std::string("0") + spec.type : "";
  std::string digits = unsigned_digits(magnitude, base, spec.type == 'X');
  append_number(meter, out, value < 0, prefix, grouped(digits, spec.grouping, base == 10 ? 3 : 4), spec);
}

/// Digits of |value| for type e, f, g, % or (type 0) the shortest form.
std::string float_digits(double magnitude, const Spec& spec) {
  const char lower = char(std::tolower(static_cast<unsigned char>(spec.type)));
  if (!std::isfinite(magnitude)) {
    std::string name = std::isnan(magnitude) ? "nan" : "inf";
    if (lower == '%') name += '%';
    if (std::isupper(static_cast<unsigned char>(spec.type)))
      std::transform(name.begin(), name.end(), name.begin(), ::toupper);
    return name;
  }
  if (spec.type == '\0' && spec.precision < 0) return float_repr(magnitude);
  char pattern[16], buffer[1000];
  const char shape = lower == '%' ? 'f' : spec.type == '\0' || lower == 'n' ? 'g' : spec.type;
  std::snprintf(pattern, sizeof pattern, "%%%s.*%c", spec.alternate ? "#" : "", shape);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  std::snprintf(buffer, sizeof buffer, pattern, spec.precision < 0 ? 6 : spec.precision,
                lower == '%' ? magnitude * 100 : magnitude);
#pragma GCC diagnostic pop
  std::string digits = buffer;
  if (spec.type == '\0' && digits.find_first_of(".en") == std::string::npos) digits += ".0";
  if (lower == '%') digits += '%';
  return digits;
}

void append_float(Meter& meter, Text& out, double value, const Spec& spec) {
  std::string digits = float_digits(std::fabs(value), spec);
  const size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
  digits = grouped(digits.substr(0, whole), spec.grouping, 3) + digits.substr(whole);
  append_number(meter, out, std::signbit(value) && !std::isnan(value), "", digits, spec);
}

void append_string(Meter& meter, Text& out, const Text& text, const Spec& spec) {
  const auto points = code_points(text.bytes());
  const size_t n = spec.precision < 0 ? points.size() : std::min(points.size(), size_t(spec.precision));
  const size_t end = n == points.size() ? text.size() : points[n].begin;
  append_padded(meter, out, text.slice(0, end), spec, spec.align ? spec.align : '<');
}

// ---- format % args ----

class Printf {
 public:
  Printf(Meter& meter, const Text& format, const Value& args)
      : meter_(meter), format_(format), bytes_(format.bytes()), args_(args) {}

  Value run() {
    for (size_t at = 0; at < bytes_.size();) {
      const size_t percent = std::min(bytes_.find('%', at), bytes_.size());
      out_.append(format_, at, percent);
      at = percent;
      if (at < bytes_.size()) at = conversion(at + 1);
    }
    const auto* tuple = args_.as<List>();
    const bool is_tuple = tuple && tuple->is_tuple();
    const bool is_mapping = args_.as<Dict>() || (tuple && !is_tuple) || args_.is_undefined();
    if (is_tuple ? next_ < tuple->items.size() : next_ == 0 && !is_mapping)
      fail("not all arguments converted during string formatting");
    return meter_.string(std::move(out_));
  }

 private:
  Value next_arg() {
    const auto* tuple = args_.as<List>();
    if (tuple && tuple->is_tuple()) {
      if (next_ >= tuple->items.size()) fail("not enough arguments for format string");
      return tuple->items[next_++];
    }
    if (next_++ > 0) fail("not enough arguments for format string");
    return args_;
  }

  char at_or_end(size_t at) const { return at < bytes_.size() ? bytes_[at] : '\0'; }

  std::optional<Value> named_arg(size_t& at) {
    if (at_or_end(at) != '(') return std::nullopt;
    const size_t close = bytes_.find(')', at);
    if (close == std::string::npos) fail("incomplete format key");
    const auto* dict = args_.as<Dict>();
    if (!dict) fail("format requires a mapping");
    const Value* value = dict->find(std::string_view(bytes_).substr(at + 1, close - at - 1));
    if (!value) fail("format key '" + bytes_.substr(at + 1, close - at - 1) + "' is missing");
    at = close + 1;
    next_ = std::max<size_t>(next_, 1);
    return *value;
  }

  size_t starred(size_t& at, size_t most) {
    if (at_or_end(at) != '*') return read_count(bytes_, at, most).value_or(0);
    ++at;
    const auto value = next_arg().as_index();
    if (!value) fail("* wants int");
    if (*value < 0 || size_t(*value) > most) fail_limit("width or precision out of range in a format");
    return size_t(*value);
  }

  /// Formats the conversion that follows a percent sign; returns where it ends.
  size_t conversion(size_t at) {
    std::optional<Value> value = named_arg(at);
    Spec spec;
    spec.align = '>';
    bool zeros = false, left = false;
    for (; is_one_of(at_or_end(at), "-+ #0"); ++at) {
      const char flag = bytes_[at];
      if (flag == '-') left = true;
      if (flag == '0') zeros = true;
      if (flag == '#') spec.alternate = true;
      if (flag == '+' || (flag == ' ' && spec.sign != '+')) spec.sign = flag;
    }
    spec.width = starred(at, kMaxWidth);
    if (at_or_end(at) == '.') spec.precision = int(starred(++at, kMaxPrecision));
    while (is_one_of(at_or_end(at), "hlL")) ++at;
    spec.type = at_or_end(at);
    if (spec.type == '\0') fail("incomplete format");
    if (spec.type == '%') {
      out_.append("%");
      return at + 1;
    }
    if (left)
      spec.align = '<';
    else if (zeros && is_one_of(spec.type, "diuoxXeEfFgG"))
      spec.align = '=', spec.fill = "0";
    if (!is_one_of(spec.type, "diuoxXeEfFgGcrsa"))
      fail(std::string("unsupported format character '") + spec.type + "'");
    convert(value ? *value : next_arg(), spec);
    return at + 1;
  }

  void convert(const Value& value, const Spec& spec) {
    if (is_one_of(spec.type, "srac")) {
      const bool is_char = spec.type == 'c';
      return append_string(meter_, out_,
                           is_char            ? character(value)
                           : spec.type == 's' ? to_text(meter_, value)
                                              : to_repr(meter_, value),
                           spec);
    }
    require_defined(value);
    if (is_one_of(spec.type, "eEfFgG")) {
      const auto number = value.as_float();
      if (!number) fail("must be real number, not " + value.type_name());
      return append_float(meter_, out_, *number, spec);
    }
    auto number = value.as_index();
    if (!number && value.as<double>() && is_one_of(spec.type, "diu"))
      number = truncate_float(*value.as<double>());
    if (!number)
      fail(std::string("%") + spec.type + " format: a number is required, not " + value.type_name());
    const std::string digits = unsigned_digits(*number < 0 ? 0 - uint64_t(*number) : uint64_t(*number),
                                               base_of(spec.type), spec.type == 'X');
    const size_t n_zeros = spec.precision > int(digits.size()) ? size_t(spec.precision) - digits.size() : 0;
    const std::string prefix = spec.alternate && base_of(spec.type) != 10 ? std::string("0") + spec.type : "";
    append_number(meter_, out_, *number < 0, prefix, std::string(n_zeros, '0') + digits, spec);
  }

  Text character(const Value& value) {
    if (const auto code = value.as_index()) {
      if (*code < 0 || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000))
        fail("%c arg not in range(0x110000)");
      std::string utf8;
      append_utf8(utf8, char32_t(*code));
      return Text(utf8);
    }
    const auto* text = value.as<Text>();
    if (!text || count_code_points(text->bytes()) != 1) fail("%c requires int or char");
    return *text;
  }

  Meter& meter_;
  const Text& format_;
  const std::string& bytes_;
  const Value& args_;
  size_t next_ = 0;
  Text out_;
};

// ---- format.format(...) ----

class Braces {
 public:
  Braces(Runtime& runtime, const Text& format, const Call& call)
      : runtime_(runtime), format_(format), call_(call) {}

  Value run() { return runtime_.meter.string(expand(format_.bytes(), 0, 2)); }

 private:
  /// `bytes`, a part of the format that begins at its byte `base`, with its fields replaced; `levels`: how
  /// deep fields may still nest in specifications.
  Text expand(const std::string& bytes, size_t base, int levels) {
    if (levels == 0) fail("max string recursion exceeded");
    Text out;
    for (size_t at = 0; at < bytes.size();) {
      const size_t brace = std::min(bytes.find_first_of("{}", at), bytes.size());
      out.append(format_, base + at, base + brace);
      at = brace;
      if (at >= bytes.size()) break;
      if (at + 1 < bytes.size() && bytes[at + 1] == bytes[at]) {
        out.append(format_, base + at, base + at + 1);
        at += 2;
      } else if (bytes[at] == '}') {
        fail("single '}' encountered in format string");
      } else {
        at = field(out, bytes, base, at + 1, levels);
      }
      runtime_.meter.text(out.size());
    }
    return out;
  }

  size_t field(Text& out, const std::string& bytes, size_t base, size_t begin, int levels) {
    int depth = 1;
    size_t end = begin;
    for (; end < bytes.size(); ++end) {
      if (bytes[end] == '{') ++depth;
      if (bytes[end] == '}' && --depth == 0) break;
    }
    if (depth != 0) fail("expected '}' before end of string");
    const std::string inside = bytes.substr(begin, end - begin);
    size_t name_end = 0;
    for (bool in_brackets = false; name_end < inside.size(); ++name_end) {
      if (inside[name_end] == '[') in_brackets = true;
      if (inside[name_end] == ']') in_brackets = false;
      if (!in_brackets && (inside[name_end] == ':' || inside[name_end] == '!')) break;
    }
    Value value = lookup(inside.substr(0, name_end));
    size_t at = name_end;
    if (at < inside.size() && inside[at] == '!') {
      const char how = at + 1 < inside.size() ? inside[at + 1] : '\0';
      if (how == 's')
        value = runtime_.meter.string(to_text(runtime_.meter, value));
      else if (how == 'r')
        value = runtime_.meter.string(to_repr(runtime_.meter, value));
      else
        fail("unknown conversion in a format string");
      at += 2;
      if (at < inside.size() && inside[at] != ':') fail("expected ':' after conversion specifier");
    }
    const std::string spec = at < inside.size() ? inside.substr(at + 1) : "";
    append_value(out, value,
                 expand(spec, base + begin + std::min(at + 1, inside.size()), levels - 1).bytes());
    return end + 1;
  }

  Value lookup(const std::string& path) {
    size_t at = std::min(path.find_first_of(".["), path.size());
    Value value = first(path.substr(0, at));
    while (at < path.size()) {
      if (path[at] == '.') {
        const size_t end = std::min(path.find_first_of(".[", at + 1), path.size());
        value = get_attribute(runtime_, value, path.substr(at + 1, end - at - 1));
        at = end;
      } else {
        const size_t end = path.find(']', at);
        if (path[at] != '[' || end == std::string::npos) fail("bad field name in a format string");
        const std::string key = path.substr(at + 1, end - at - 1);
        const bool is_index = !key.empty() && key.find_first_not_of("0123456789") == std::string::npos;
        value = get_item(runtime_, value,
                         is_index ? Value(parse_integer(key, 10).value_or(0)) : Value::literal(key));
        at = end + 1;
      }
    }
    return value;
  }

  Value first(const std::string& name) {
    if (name.find_first_of("{}") != std::string::npos) fail("unexpected '{' in field name");
    const bool is_index = name.find_first_not_of("0123456789") == std::string::npos;
    if (!is_index) {
      for (const auto& kwarg : call_.kwargs)
        if (kwarg.first == name) return kwarg.second;
      fail("format() got no argument '" + name + "'");
    }
    const Numbering wanted = name.empty() ? Numbering::automatic : Numbering::manual;
    if (numbering_ != Numbering::none && numbering_ != wanted)
      fail("cannot mix automatic and manual field numbers");
    numbering_ = wanted;
    const size_t index = name.empty() ? next_++ : size_t(parse_integer(name, 10).value_or(0));
    if (index >= call_.args.size()) fail("format() got too few arguments");
    return call_.args[index];
  }

  void append_value(Text& out, const Value& value, const std::string& spec_text) {
    Meter& meter = runtime_.meter;
    if (spec_text.empty()) {
      out.append(to_text(meter, value));
      return;
    }
    const Spec spec = parse_spec(spec_text);
    const bool wants_float = is_one_of(spec.type, "eEfFgG%n");
    if (value.as<Text>()) {
      if ((spec.type != '\0' && spec.type != 's') || spec.align == '=' || spec.sign != '-' || spec.grouping)
        fail("invalid format specifier for a string: '" + spec_text + "'");
      return append_string(meter, out, *value.as<Text>(), spec);
    }
    if (value.as<bool>() && spec.type == '\0') return append_string(meter, out, to_text(meter, value), spec);
    if (const auto i = value.as_index(); i && !wants_float) {
      if (spec.type == 'c' || spec.precision >= 0 || !is_one_of(spec.type ? spec.type : 'd', "dboxX"))
        fail("invalid format specifier for an integer: '" + spec_text + "'");
      return append_integer(meter, out, *i, spec);
    }
    if (const auto f = value.as_float()) {
      if (spec.type != '\0' && !wants_float)
        fail("invalid format specifier for a float: '" + spec_text + "'");
      return append_float(meter, out, *f, spec);
    }
    fail("unsupported format string passed to " + value.type_name() + ".__format__");
  }

  Spec parse_spec(const std::string& text) {
    Spec spec;
    size_t at = 0;
    const size_t first_end = code_point_at(text, 0).end;
    if (first_end < text.size() && is_one_of(text[first_end], "<>=^")) {
      spec.fill = text.substr(0, first_end);
      spec.align = text[first_end];
      at = first_end + 1;
    } else if (is_one_of(text[0], "<>=^")) {
      spec.align = text[at++];
    }
    const auto here = [&] { return at < text.size() ? text[at] : '\0'; };
    if (is_one_of(here(), "+- ")) spec.sign = text[at++];
    if (here() == '#') spec.alternate = true, ++at;
    if (here() == '0') {
      ++at;
      if (spec.align == '\0') spec.align = '=', spec.fill = "0";
    }
    spec.width = read_count(text, at, kMaxWidth).value_or(0);
    if (is_one_of(here(), ",_")) spec.grouping = text[at++];
    if (here() == '.') {
      const auto precision = read_count(text, ++at, kMaxPrecision);
      if (!precision) fail("format specifier missing precision");
      spec.precision = int(*precision);
    }
    spec.type = here();
    if (at + 1 < text.size()) fail("invalid format specifier '" + text + "'");
    return spec;
  }

  enum class Numbering { none, automatic, manual };
  Runtime& runtime_;
  const Text& format_;
  const Call& call_;
  size_t next_ = 0;
  Numbering numbering_ = Numbering::none;
};

}  // namespace

Value format_printf(Meter& meter, const Text& format, const Value& args) {
  return Printf(meter, format, args).run();
}

Value format_braces(Runtime& runtime, const Text& format, const Call& call) {
  return Braces(runtime, format, call).run();
}

}  // namespace assay::jinja
