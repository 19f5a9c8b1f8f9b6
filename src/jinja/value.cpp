#include "jinja/value.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace assay::jinja {
namespace {

constexpr int kUnordered = 2;

/// Pays for one pass over `text`.
void charge_pass(Meter& meter, const Text& text) {
  meter.step(text.size() / 64);
}

int sign_of(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return kUnordered;
  return a < b ? -1 : a > b ? 1 : 0;
}

/// Order of two numbers, exact also where an int does not fit a double.
int compare_numbers(const Value& a, const Value& b) {
  const auto i = a.as_index(), j = b.as_index();
  if (i && j) return *i < *j ? -1 : *i > *j ? 1 : 0;
  const int order = sign_of(*a.as_float(), *b.as_float());
  if (order != 0 || (!i && !j)) return order;
  // The doubles are equal and one side is an int that may have been rounded.
  const double whole = i ? *b.as_float() : *a.as_float();
  if (whole >= 0x1p63) return i ? -1 : 1;
  const int64_t exact = int64_t(whole), other = i ? *i : *j;
  const int int_first = other < exact ? -1 : other > exact ? 1 : 0;
  return i ? int_first : -int_first;
}

bool equal_lists(Meter& meter, const List& a, const List& b) {
  if (a.is_view() || b.is_view() || a.is_tuple() != b.is_tuple() || a.items.size() != b.items.size())
    return false;
  for (size_t i = 0; i < a.items.size(); ++i)
    if (!equal(meter, a.items[i], b.items[i])) return false;
  return true;
}

bool equal_dicts(Meter& meter, const Dict& a, const Dict& b) {
  if (a.size() != b.size()) return false;
  for (const auto& item : a.items()) {
    const Value* other = b.find(meter, item.first);
    if (!other || !equal(meter, item.second, *other)) return false;
  }
  return true;
}

bool equal_ranges(const Range& a, const Range& b) {
  if (a.length() != b.length()) return false;
  return a.length() == 0 || (a.start == b.start && (a.length() == 1 || a.step == b.step));
}

const void* identity(const Value& value) {
  return std::visit(
      [](const auto& rep) -> const void* {
        if constexpr (requires { rep.get(); })
          return rep.get();
        else
          return nullptr;
      },
      value.rep());
}

}  // namespace

int64_t Range::length() const {
  if (step > 0)
    return start >= stop ? 0 : int64_t((uint64_t(stop) - uint64_t(start) - 1) / uint64_t(step)) + 1;
  return start <= stop ? 0 : int64_t((uint64_t(start) - uint64_t(stop) - 1) / (0 - uint64_t(step))) + 1;
}

std::optional<Value> Object::attribute(Runtime&, std::string_view) {
  return std::nullopt;
}
std::optional<Value> Object::call(Runtime&, const Call&) {
  return std::nullopt;
}
std::optional<std::vector<Value>> Object::take_items(Runtime&) {
  return std::nullopt;
}

std::optional<int64_t> Value::as_index() const {
  if (const auto* i = as<int64_t>()) return *i;
  if (const auto* b = as<bool>()) return int64_t(*b);
  return std::nullopt;
}

std::optional<double> Value::as_float() const {
  if (const auto* f = as<double>()) return *f;
  if (const auto i = as_index()) return double(*i);
  return std::nullopt;
}

bool Value::truthy() const {
  if (is_none() || is_undefined()) return false;
  if (const auto number = as_float()) return *number != 0;
  if (const auto* text = as<Text>()) return !text->empty();
  if (const auto* list = as<List>()) return !list->items.empty();
  if (const auto* dict = as<Dict>()) return dict->size() > 0;
  if (const auto* range = as<Range>()) return range->length() > 0;
  return object<Object>()->length().value_or(1) != 0;
}

std::string Value::type_name() const {
  if (is_none()) return "NoneType";
  if (is_undefined()) return "Undefined";
  if (as<bool>()) return "bool";
  if (as<int64_t>()) return "int";
  if (as<double>()) return "float";
  if (as<Text>()) return "str";
  if (as<Dict>()) return "dict";
  if (as<Range>()) return "range";
  if (const auto* list = as<List>()) {
    static constexpr const char* kNames[] = {"list",      "tuple",       "tuple",
                                             "dict_keys", "dict_values", "dict_items"};
    return kNames[size_t(list->kind)];
  }
  return object<Object>()->type_name();
}

size_t Value::depth() const {
  if (const auto* list = as<List>()) return list->depth;
  if (const auto* dict = as<Dict>()) return dict->depth();
  if (const auto* object = this->object<Object>()) return object->depth();
  return 0;
}

bool Value::is_same(const Value& other) const {
  if (rep_.index() != other.rep_.index()) return false;
  if (is_none()) return true;
  if (const auto* b = as<bool>()) return *b == *other.as<bool>();
  if (const auto* i = as<int64_t>()) return *i == *other.as<int64_t>();
  if (const auto* text = as<Text>()) return text->bytes() == other.as<Text>()->bytes();
  const void* place = identity(*this);
  return place && place == identity(other);
}

void Dict::insert(Meter& meter, Value key, Value value) {
  const size_t key_hash = hash(meter, key);
  depth_ = std::max(depth_, 1 + std::max(key.depth(), value.depth()));
  meter.depth(depth_);
  const auto range = by_hash_.equal_range(key_hash);
  for (auto i = range.first; i != range.second; ++i) {
    if (!equal(meter, items_[i->second].first, key)) continue;
    items_[i->second].second = std::move(value);
    return;
  }
  meter.step();
  by_hash_.emplace(key_hash, items_.size());
  items_.emplace_back(std::move(key), std::move(value));
}

const Value* Dict::find(Meter& meter, const Value& key) const {
  const auto range = by_hash_.equal_range(hash(meter, key));
  for (auto i = range.first; i != range.second; ++i)
    if (equal(meter, items_[i->second].first, key)) return &items_[i->second].second;
  return nullptr;
}

const Value* Dict::find(std::string_view key) const {
  const auto range = by_hash_.equal_range(std::hash<std::string_view>{}(key));
  for (auto i = range.first; i != range.second; ++i) {
    const auto* text = items_[i->second].first.as<Text>();
    if (text && text->bytes() == key) return &items_[i->second].second;
  }
  return nullptr;
}

Value Meter::string(Text value) {
  text(value.size());
  return std::make_shared<const Text>(std::move(value));
}

Value Meter::list(std::vector<Value> items, List::Kind kind) {
  size_t deepest = 0;
  for (const Value& item : items) deepest = std::max(deepest, item.depth());
  depth(deepest + 1);
  step(items.size());
  return std::make_shared<const List>(List{kind, std::move(items), deepest + 1});
}

Value Meter::dict(Dict dict) {
  return std::make_shared<const Dict>(std::move(dict));
}

bool equal(Meter& meter, const Value& a, const Value& b) {
  meter.step();
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.rep().index() != b.rep().index()) return false;
  if (a.is_none() || a.is_undefined()) return true;
  if (const auto* text = a.as<Text>()) {
    if (text->size() == b.as<Text>()->size()) charge_pass(meter, *text);
    return text->bytes() == b.as<Text>()->bytes();
  }
  if (const auto* list = a.as<List>(); list && list != b.as<List>())
    return equal_lists(meter, *list, *b.as<List>());
  if (const auto* dict = a.as<Dict>()) return equal_dicts(meter, *dict, *b.as<Dict>());
  if (const auto* range = a.as<Range>()) return equal_ranges(*range, *b.as<Range>());
  return a.is_same(b);
}

int compare(Meter& meter, const Value& a, const Value& b, std::string_view op) {
  meter.step();
  require_defined(a);
  require_defined(b);
  if (a.is_number() && b.is_number()) return compare_numbers(a, b);
  if (a.as<Text>() && b.as<Text>()) {
    charge_pass(meter, *a.as<Text>());
    const int order = a.as<Text>()->bytes().compare(b.as<Text>()->bytes());
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }
  const auto *x = a.as<List>(), *y = b.as<List>();
  if (x && y && !x->is_view() && !y->is_view() && x->is_tuple() == y->is_tuple()) {
    for (size_t i = 0; i < x->items.size() && i < y->items.size(); ++i)
      if (!equal(meter, x->items[i], y->items[i])) return compare(meter, x->items[i], y->items[i], op);
    return x->items.size() < y->items.size() ? -1 : x->items.size() > y->items.size() ? 1 : 0;
  }
  fail("'" + std::string(op) + "' not supported between instances of '" + a.type_name() + "' and '" +
       b.type_name() + "'");
}

size_t hash(Meter& meter, const Value& value) {
  meter.step();
  if (const auto i = value.as_index()) return std::hash<int64_t>{}(*i);
  if (const auto* f = value.as<double>()) {
    const bool is_whole = std::trunc(*f) == *f && std::fabs(*f) < 0x1p63;
    return is_whole ? std::hash<int64_t>{}(int64_t(*f)) : std::hash<double>{}(*f);
  }
  if (const auto* text = value.as<Text>()) {
    charge_pass(meter, *text);
    return std::hash<std::string_view>{}(text->bytes());
  }
  if (const auto* list = value.as<List>(); list && list->is_tuple()) {
    size_t all = list->items.size();
    for (const Value& item : list->items) all = all * 1000003 + hash(meter, item);
    return all;
  }
  if (value.is_none()) return 1;
  if (value.is_undefined()) return 2;
  if (value.as<List>() || value.as<Dict>()) fail("unhashable type: '" + value.type_name() + "'");
  if (const auto* range = value.as<Range>()) return std::hash<int64_t>{}(range->length());
  return std::hash<const void*>{}(identity(value));
}

void require_defined(const Value& value) {
  if (const auto* undefined = value.as<Undefined>()) fail(*undefined->why);
}

}  // namespace assay::jinja
