// Methods of strings, lists and dicts, as Python has them. Methods that would change a list or dict are
// refused.
#include <algorithm>
#include <array>
#include <cmath>

#include "jinja/call.h"
#include "jinja/format.h"
#include "jinja/runtime.h"
#include "jinja/text_ops.h"
#include "jinja/unicode.h"

namespace assay::jinja {
namespace {

const Text& text_of(const Value& self) {
  return *self.as<Text>();
}

std::optional<std::string> optional_text(const Args& args, size_t i) {
  return args.given(i) ? std::optional<std::string>(args.text(i).bytes()) : std::nullopt;
}

template <Text (*kMap)(const Text&)>
Value map_text(Runtime& runtime, const Value& self, const Args&) {
  runtime.meter.text(text_of(self).size());
  return runtime.meter.string(kMap(text_of(self)));
}

template <Side kSide>
Value strip_side(Runtime& runtime, const Value& self, const Args& args) {
  runtime.meter.text(text_of(self).size());
  return runtime.meter.string(strip(text_of(self), kSide, optional_text(args, 0)));
}

Value do_split(Runtime& runtime, const Value& self, const Args& args) {
  runtime.meter.text(text_of(self).size());
  return text_list(runtime.meter, split(text_of(self), optional_text(args, 0), args.integer(1, -1)));
}

Value do_rsplit(Runtime& runtime, const Value& self, const Args& args) {
  runtime.meter.text(text_of(self).size());
  return text_list(runtime.meter, split_right(text_of(self), optional_text(args, 0), args.integer(1, -1)));
}

Value do_splitlines(Runtime& runtime, const Value& self, const Args& args) {
  runtime.meter.text(text_of(self).size());
  return text_list(runtime.meter, split_lines(text_of(self), args.truthy(0)));
}

Value partition_at(Runtime& runtime, const Text& text, size_t found, const Text& separator, bool from_right) {
  std::vector<Text> parts(3);
  if (found == std::string::npos)
    parts[from_right ? 2 : 0] = text;
  else
    parts = {text.slice(0, found), separator, text.slice(found + separator.size(), text.size())};
  return text_list(runtime.meter, std::move(parts), List::Kind::tuple);
}

template <bool kFromRight>
Value do_partition(Runtime& runtime, const Value& self, const Args& args) {
  const Text &text = text_of(self), &separator = args.text(0);
  if (separator.empty()) fail("empty separator");
  runtime.meter.text(text.size());
  const std::string& bytes = text.bytes();
  return partition_at(runtime, text,
                      kFromRight ? bytes.rfind(separator.bytes()) : bytes.find(separator.bytes()), separator,
                      kFromRight);
}

/// Byte range of characters [start, stop) as Python's optional bounds give it; nullopt when start is past the
/// end.
struct ByteRange {
  size_t begin, end, first_char;
};
std::optional<ByteRange> bounds(const Text& text, const Args& args, size_t i) {
  const auto points = code_points(text.bytes());
  const int64_t length = int64_t(points.size());
  const auto place = [&](size_t arg, int64_t otherwise) {
    const int64_t index = args.given(arg) ? args.integer(arg) : otherwise;
    return index < 0 ? std::max<int64_t>(index + length, 0) : index;
  };
  const int64_t start = place(i, 0), stop = std::min(place(i + 1, length), length);
  if (start > stop) return std::nullopt;
  const auto offset = [&](int64_t at) { return at < length ? points[size_t(at)].begin : text.size(); };
  return ByteRange{offset(start), offset(stop), size_t(start)};
}

/// Index in characters of args[0] in `self`, -1 when absent.
template <bool kFromRight>
int64_t find_text(Runtime& runtime, const Value& self, const Args& args) {
  const Text& text = text_of(self);
  const std::string& part = args.text(0).bytes();
  runtime.meter.text(text.size());
  const auto range = bounds(text, args, 1);
  if (!range) return -1;
  const std::string_view within =
      std::string_view(text.bytes()).substr(range->begin, range->end - range->begin);
  const size_t found = kFromRight ? within.rfind(part) : within.find(part);
  if (found == std::string_view::npos) return -1;
  return int64_t(range->first_char + count_code_points(within.substr(0, found)));
}

template <bool kFromRight>
Value do_find(Runtime& runtime, const Value& self, const Args& args) {
  return find_text<kFromRight>(runtime, self, args);
}

template <bool kFromRight>
Value do_text_index(Runtime& runtime, const Value& self, const Args& args) {
  const int64_t found = find_text<kFromRight>(runtime, self, args);
  if (found < 0) fail("substring not found");
  return found;
}

Value do_text_count(Runtime& runtime, const Value& self, const Args& args) {
  const Text& text = text_of(self);
  const std::string& part = args.text(0).bytes();
  runtime.meter.text(text.size());
  const auto range = bounds(text, args, 1);
  if (!range) return int64_t(0);
  const std::string_view within =
      std::string_view(text.bytes()).substr(range->begin, range->end - range->begin);
  if (part.empty()) return int64_t(count_code_points(within)) + 1;
  int64_t n = 0;
  for (size_t at = within.find(part); at != std::string_view::npos; at = within.find(part, at + part.size()))
    ++n;
  return n;
}

template <bool kAtEnd>
Value do_has_affix(Runtime& runtime, const Value& self, const Args& args) {
  const Text& text = text_of(self);
  runtime.meter.step(1 + text.size() / 64);
  const auto range = bounds(text, args, 1);
  const auto matches = [&](const Value& affix) {
    const auto* part = affix.as<Text>();
    if (!part) fail("expected a string or a tuple of strings, got '" + affix.type_name() + "'");
    if (!range) return false;
    const std::string_view within =
        std::string_view(text.bytes()).substr(range->begin, range->end - range->begin);
    return kAtEnd ? within.ends_with(part->bytes()) : within.starts_with(part->bytes());
  };
  const auto* tuple = args[0].as<List>();
  if (!tuple || !tuple->is_tuple()) return matches(args[0]);
  for (const Value& affix : tuple->items)
    if (matches(affix)) return true;
  return false;
}

template <bool kAtEnd>
Value do_remove_affix(Runtime& runtime, const Value& self, const Args& args) {
  const Text& text = text_of(self);
  const std::string& affix = args.text(0).bytes();
  const bool has = kAtEnd ? text.bytes().ends_with(affix) : text.bytes().starts_with(affix);
  if (!has) return self;
  return runtime.meter.string(kAtEnd ? text.slice(0, text.size() - affix.size())
                                     : text.slice(affix.size(), text.size()));
}

Value do_text_replace(Runtime& runtime, const Value& self, const Args& args) {
  runtime.meter.text(text_of(self).size());
  return runtime.meter.string(
      replace(runtime.meter, text_of(self), args.text(0), args.text(1), args.integer(2, -1)));
}

Value do_text_join(Runtime& runtime, const Value& self, const Args& args) {
  Text out;
  bool first = true;
  for (const Value& item : iterate(runtime, args[0])) {
    const auto* text = item.as<Text>();
    if (!text) fail("join: expected str instance, " + item.type_name() + " found");
    if (!std::exchange(first, false)) out.append(text_of(self));
    out.append(*text);
    runtime.meter.text(out.size() > runtime.meter.limits().string_bytes ? out.size() : text->size());
  }
  return runtime.meter.string(std::move(out));
}

Value do_format(Runtime& runtime, const Value& self, const Args& args) {
  return format_braces(runtime, text_of(self), args.rest());
}

Value do_format_map(Runtime& runtime, const Value& self, const Args& args) {
  const auto* dict = args[0].as<Dict>();
  if (!dict) fail("format_map() needs a mapping");
  Call call;
  for (const auto& item : dict->items())
    if (const auto* name = item.first.as<Text>()) call.kwargs.emplace_back(name->bytes(), item.second);
  return format_braces(runtime, text_of(self), call);
}

template <Side kTextSide>
Value do_pad(Runtime& runtime, const Value& self, const Args& args) {
  const std::string fill = args.passed(1) ? args.text(1).bytes() : " ";
  if (count_code_points(fill) != 1) fail("the fill character must be exactly one character long");
  return runtime.meter.string(padded(runtime.meter, text_of(self), args.integer(0), kTextSide, fill));
}

Value do_zfill(Runtime& runtime, const Value& self, const Args& args) {
  const Text& text = text_of(self);
  const bool has_sign = !text.empty() && (text.bytes()[0] == '-' || text.bytes()[0] == '+');
  Text out = text.slice(0, has_sign ? 1 : 0);
  const int64_t width = std::max<int64_t>(args.integer(0), 1) - (has_sign ? 1 : 0);
  out.append(padded(runtime.meter, text.slice(out.size(), text.size()), width, Side::right, "0"));
  return runtime.meter.string(std::move(out));
}

Value do_expandtabs(Runtime& runtime, const Value& self, const Args& args) {
  const int64_t size = args.integer(0, 8);
  const Text& text = text_of(self);
  Text out;
  int64_t column = 0;
  for (const CodePoint& c : code_points(text.bytes())) {
    if (c.value == '\t') {
      const int64_t n = size > 0 ? size - column % size : 0;
      out.append(padded(runtime.meter, Text(), n, Side::right, " "));
      column += n;
    } else {
      out.append(text, c.begin, c.end);
      column = c.value == '\n' || c.value == '\r' ? 0 : column + 1;
    }
    if (out.size() > runtime.meter.limits().string_bytes) runtime.meter.text(out.size());
  }
  return runtime.meter.string(std::move(out));
}

/// str.isdigit and its like: at least one character, all in the class.
template <bool (*kIs)(char32_t)>
Value all_are(Runtime& runtime, const Value& self, const Args&) {
  runtime.meter.text(text_of(self).size());
  const auto points = code_points(text_of(self).bytes());
  return !points.empty() &&
         std::all_of(points.begin(), points.end(), [](const CodePoint& c) { return kIs(c.value); });
}

bool is_alnum(char32_t c) {
  return is_alpha(c) || is_numeric(c) || is_digit(c);
}

Value do_isascii(Runtime&, const Value& self, const Args&) {
  const std::string& bytes = text_of(self).bytes();
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return (c & 0x80) == 0; });
}

Value do_isprintable(Runtime& runtime, const Value& self, const Args&) {
  runtime.meter.text(text_of(self).size());
  const auto points = code_points(text_of(self).bytes());
  return std::all_of(points.begin(), points.end(), [](const CodePoint& c) { return is_printable(c.value); });
}

Value do_isidentifier(Runtime& runtime, const Value& self, const Args&) {
  runtime.meter.text(text_of(self).size());
  const auto points = code_points(text_of(self).bytes());
  return !points.empty() && is_name_start(points[0].value) &&
         std::all_of(points.begin(), points.end(), [](const CodePoint& c) { return is_name_part(c.value); });
}

Value do_istitle(Runtime& runtime, const Value& self, const Args&) {
  runtime.meter.text(text_of(self).size());
  bool any = false, after_cased = false;
  for (const CodePoint& c : code_points(text_of(self).bytes())) {
    const bool starts = is_upper(c.value) || is_title(c.value);
    if (starts ? after_cased : is_lower(c.value) && !after_cased) return false;
    after_cased = starts || is_lower(c.value);
    any |= after_cased;
  }
  return any;
}

// ---- lists and dicts ----

Value do_list_index(Runtime& runtime, const Value& self, const Args& args) {
  const auto& items = self.as<List>()->items;
  const int64_t length = int64_t(items.size());
  const auto place = [&](size_t i, int64_t otherwise) {
    const int64_t index = args.integer(i, otherwise);
    return std::clamp<int64_t>(index < 0 ? index + length : index, 0, length);
  };
  for (int64_t i = place(1, 0), stop = place(2, length); i < stop; ++i)
    if (equal(runtime.meter, items[size_t(i)], args[0])) return i;
  fail(to_repr(runtime.meter, args[0]).bytes() + " is not in list");
}

Value do_list_count(Runtime& runtime, const Value& self, const Args& args) {
  int64_t n = 0;
  for (const Value& item : self.as<List>()->items) n += equal(runtime.meter, item, args[0]) ? 1 : 0;
  return n;
}

Value do_copy(Runtime&, const Value& self, const Args&) {
  return self;
}

Value do_get(Runtime& runtime, const Value& self, const Args& args) {
  const Value* found = self.as<Dict>()->find(runtime.meter, args[0]);
  return found ? *found : args.or_none(1);
}

template <List::Kind kKind>
Value do_view(Runtime& runtime, const Value& self, const Args&) {
  std::vector<Value> items;
  for (const auto& item : self.as<Dict>()->items()) {
    if (kKind == List::Kind::keys) items.push_back(item.first);
    if (kKind == List::Kind::values) items.push_back(item.second);
    if (kKind == List::Kind::items) items.push_back(runtime.meter.tuple({item.first, item.second}));
  }
  return runtime.meter.list(std::move(items), kKind);
}

Value do_is_integer(Runtime&, const Value& self, const Args&) {
  const double value = *self.as<double>();
  return std::isfinite(value) && std::trunc(value) == value;
}

constexpr std::array kTextMethods = {
    Builtin{"capitalize", "", map_text<capitalize>},
    Builtin{"casefold", "", map_text<to_lower>},
    Builtin{"center", "width fill= /", do_pad<Side::both>},
    Builtin{"count", "part start= end= /", do_text_count},
    Builtin{"endswith", "suffix start= end= /", do_has_affix<true>},
    Builtin{"expandtabs", "tabsize=", do_expandtabs},
    Builtin{"find", "part start= end= /", do_find<false>},
    Builtin{"format", "* **", do_format},
    Builtin{"format_map", "mapping /", do_format_map},
    Builtin{"index", "part start= end= /", do_text_index<false>},
    Builtin{"isalnum", "", all_are<is_alnum>},
    Builtin{"isalpha", "", all_are<is_alpha>},
    Builtin{"isascii", "", do_isascii},
    Builtin{"isdecimal", "", all_are<is_decimal>},
    Builtin{"isdigit", "", all_are<is_digit>},
    Builtin{"isidentifier", "", do_isidentifier},
    Builtin{"islower", "",
            [](Runtime& r, const Value& s, const Args& a) { return find_test("lower")->apply(r, s, a); }},
    Builtin{"isnumeric", "", all_are<is_numeric>},
    Builtin{"isprintable", "", do_isprintable},
    Builtin{"isspace", "", all_are<is_space>},
    Builtin{"istitle", "", do_istitle},
    Builtin{"isupper", "",
            [](Runtime& r, const Value& s, const Args& a) { return find_test("upper")->apply(r, s, a); }},
    Builtin{"join", "iterable /", do_text_join},
    Builtin{"ljust", "width fill= /", do_pad<Side::left>},
    Builtin{"lower", "", map_text<to_lower>},
    Builtin{"lstrip", "chars= /", strip_side<Side::left>},
    Builtin{"partition", "sep /", do_partition<false>},
    Builtin{"removeprefix", "prefix /", do_remove_affix<false>},
    Builtin{"removesuffix", "suffix /", do_remove_affix<true>},
    Builtin{"replace", "old new count= /", do_text_replace},
    Builtin{"rfind", "part start= end= /", do_find<true>},
    Builtin{"rindex", "part start= end= /", do_text_index<true>},
    Builtin{"rjust", "width fill= /", do_pad<Side::right>},
    Builtin{"rpartition", "sep /", do_partition<true>},
    Builtin{"rsplit", "sep= maxsplit=", do_rsplit},
    Builtin{"rstrip", "chars= /", strip_side<Side::right>},
    Builtin{"split", "sep= maxsplit=", do_split},
    Builtin{"splitlines", "keepends=", do_splitlines},
    Builtin{"startswith", "prefix start= end= /", do_has_affix<false>},
    Builtin{"strip", "chars= /", strip_side<Side::both>},
    Builtin{"swapcase", "", map_text<swap_case>},
    Builtin{"title", "", map_text<title>},
    Builtin{"upper", "", map_text<to_upper>},
    Builtin{"zfill", "width /", do_zfill},
};

constexpr std::array kListMethods = {
    Builtin{"copy", "", do_copy},
    Builtin{"count", "value /", do_list_count},
    Builtin{"index", "value start= end= /", do_list_index},
};

constexpr std::array kTupleMethods = {
    Builtin{"count", "value /", do_list_count},
    Builtin{"index", "value start= end= /", do_list_index},
};

Value do_range_index(Runtime& runtime, const Value& self, const Args& args) {
  const Range& range = *self.as<Range>();
  for (int64_t i = 0, n = range.length(); i < n; ++i)
    if (equal(runtime.meter, range.at(i), args[0])) return i;
  fail(to_repr(runtime.meter, args[0]).bytes() + " is not in range");
}

Value do_range_count(Runtime& runtime, const Value& self, const Args& args) {
  return int64_t(contains(runtime, self, args[0]) ? 1 : 0);
}

constexpr std::array kRangeMethods = {
    Builtin{"count", "value /", do_range_count},
    Builtin{"index", "value /", do_range_index},
};

constexpr std::array kDictMethods = {
    Builtin{"copy", "", do_copy},
    Builtin{"get", "key default= /", do_get},
    Builtin{"items", "", do_view<List::Kind::items>},
    Builtin{"keys", "", do_view<List::Kind::keys>},
    Builtin{"values", "", do_view<List::Kind::values>},
};

constexpr std::array kFloatMethods = {
    Builtin{"is_integer", "", do_is_integer},
};

constexpr std::array<std::string_view, 8> kListMutators = {"append", "clear",  "extend",  "insert",
                                                           "pop",    "remove", "reverse", "sort"};
constexpr std::array<std::string_view, 5> kDictMutators = {"clear", "pop", "popitem", "setdefault", "update"};

template <class Table>
const Builtin* find_in(const Table& table, std::string_view name) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const Builtin& b) { return b.name == name; });
  return found == table.end() ? nullptr : &*found;
}

}  // namespace

const Builtin* find_method(const Value& self, std::string_view name) {
  if (self.as<Text>()) return find_in(kTextMethods, name);
  if (self.as<Dict>()) return find_in(kDictMethods, name);
  if (self.as<double>()) return find_in(kFloatMethods, name);
  if (self.as<Range>()) return find_in(kRangeMethods, name);
  const auto* list = self.as<List>();
  if (!list || list->is_view()) return nullptr;
  return list->is_tuple() ? find_in(kTupleMethods, name) : find_in(kListMethods, name);
}

bool is_mutating_method(const Value& self, std::string_view name) {
  const auto* list = self.as<List>();
  if (list && list->kind == List::Kind::list)
    return std::find(kListMutators.begin(), kListMutators.end(), name) != kListMutators.end();
  return self.as<Dict>() &&
         std::find(kDictMutators.begin(), kDictMutators.end(), name) != kDictMutators.end();
}

}  // namespace assay::jinja
