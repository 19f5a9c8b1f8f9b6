#include "jinja/runtime.h"

#include <algorithm>

#include "jinja/unicode.h"

namespace assay::jinja {
namespace {

std::optional<Value> find_attribute(Runtime& runtime, const Value& value, std::string_view name) {
  if (auto* object = value.object<Object>()) return object->attribute(runtime, name);
  if (const auto* list = value.as<List>(); list && list->kind == List::Kind::group) {
    if (name == "grouper") return list->items[0];
    if (name == "list") return list->items[1];
  }
  if (is_mutating_method(value, name))
    return Value::undefined("access to attribute '" + std::string(name) + "' of '" + value.type_name() +
                            "' object is unsafe: it would change the object");
  const Builtin* method = find_method(value, name);
  if (!method) return std::nullopt;
  return make_closure(runtime, value.depth(), [value, method](Runtime& r, const Call& call) {
    return invoke(r, *method, value, call);
  });
}

/// `index` of Python into `length` items; nullopt when out of range.
std::optional<size_t> wrap_index(int64_t index, int64_t length) {
  if (index < 0) index += length;
  if (index < 0 || index >= length) return std::nullopt;
  return size_t(index);
}

std::optional<Value> char_at(Runtime& runtime, const Text& text, int64_t index) {
  const auto points = code_points(text.bytes());
  runtime.meter.step(points.size() / 16);
  const auto at = wrap_index(index, int64_t(points.size()));
  if (!at) return std::nullopt;
  return runtime.meter.string(text.slice(points[*at].begin, points[*at].end));
}

std::optional<Value> find_item(Runtime& runtime, const Value& value, const Value& key) {
  if (const auto* dict = value.as<Dict>()) {
    if (key.as<List>() && !key.as<List>()->is_tuple()) return std::nullopt;
    if (key.as<Dict>()) return std::nullopt;
    const Value* found = dict->find(runtime.meter, key);
    return found ? std::optional<Value>(*found) : std::nullopt;
  }
  const auto index = key.as_index();
  if (!index) return std::nullopt;
  if (const auto* text = value.as<Text>()) return char_at(runtime, *text, *index);
  if (const auto* list = value.as<List>(); list && !list->is_view()) {
    const auto at = wrap_index(*index, int64_t(list->items.size()));
    return at ? std::optional<Value>(list->items[*at]) : std::nullopt;
  }
  if (const auto* range = value.as<Range>()) {
    const auto at = wrap_index(*index, range->length());
    return at ? std::optional<Value>(range->at(int64_t(*at))) : std::nullopt;
  }
  return std::nullopt;
}

std::string object_name(const Value& value) {
  return value.is_none() ? "None" : value.type_name() + " object";
}

/// Start, stop and step as slice.indices() of Python gives them for `length` items.
struct SliceBounds {
  int64_t start, stop, step;
};

std::optional<int64_t> slice_part(const Value& part) {
  if (part.is_none()) return std::nullopt;
  require_defined(part);
  const auto index = part.as_index();
  if (!index) fail("slice indices must be integers or none");
  return index;
}

SliceBounds slice_bounds(int64_t length, const Value& start, const Value& stop, const Value& step) {
  const int64_t by = slice_part(step).value_or(1);
  if (by == 0) fail("slice step cannot be zero");
  const int64_t lowest = by > 0 ? 0 : -1, highest = by > 0 ? length : length - 1;
  const auto place = [&](const Value& part, int64_t otherwise) {
    const auto index = slice_part(part);
    if (!index) return otherwise;
    return std::clamp(*index < 0 ? *index + length : *index, lowest, highest);
  };
  return {place(start, by > 0 ? lowest : highest), place(stop, by > 0 ? highest : lowest), by};
}

}  // namespace

Runtime::~Runtime() {
  for (const auto& space : namespaces_) space->clear();
}

std::shared_ptr<Namespace> Runtime::new_namespace() {
  meter.step();
  return namespaces_.emplace_back(std::make_shared<Namespace>());
}

Value get_attribute(Runtime& runtime, const Value& value, std::string_view name) {
  require_defined(value);
  if (auto found = find_attribute(runtime, value, name)) return *found;
  if (const auto* dict = value.as<Dict>())
    if (const Value* item = dict->find(name)) return *item;
  return Value::undefined("'" + object_name(value) + "' has no attribute '" + std::string(name) + "'");
}

Value get_item(Runtime& runtime, const Value& value, const Value& key) {
  require_defined(value);
  if (auto item = find_item(runtime, value, key)) return *item;
  if (const auto* name = key.as<Text>())
    if (auto found = find_attribute(runtime, value, name->bytes())) return *found;
  return Value::undefined(object_name(value) + " has no element " + to_repr(runtime.meter, key).bytes());
}

Value get_slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
                const Value& step) {
  require_defined(value);
  Meter& meter = runtime.meter;
  if (const auto* text = value.as<Text>()) {
    const auto points = code_points(text->bytes());
    meter.text(text->size());
    const SliceBounds b = slice_bounds(int64_t(points.size()), start, stop, step);
    if (b.step == 1) {
      const auto offset = [&](int64_t i) {
        return i < int64_t(points.size()) ? points[size_t(i)].begin : text->size();
      };
      return meter.string(b.start < b.stop ? text->slice(offset(b.start), offset(b.stop)) : Text());
    }
    Text out;
    const Range indices{b.start, b.stop, b.step};
    for (int64_t n = indices.length(), i = 0; i < n; ++i) {
      const CodePoint& c = points[size_t(indices.at(i))];
      out.append(*text, c.begin, c.end);
    }
    return meter.string(std::move(out));
  }
  if (const auto* list = value.as<List>(); list && !list->is_view()) {
    const SliceBounds b = slice_bounds(int64_t(list->items.size()), start, stop, step);
    const Range indices{b.start, b.stop, b.step};
    std::vector<Value> items;
    for (int64_t n = indices.length(), i = 0; i < n; ++i) items.push_back(list->items[size_t(indices.at(i))]);
    return meter.list(std::move(items), list->is_tuple() ? List::Kind::tuple : List::Kind::list);
  }
  if (const auto* range = value.as<Range>()) {
    const SliceBounds b = slice_bounds(range->length(), start, stop, step);
    return std::make_shared<const Range>(Range{range->at(b.start), range->at(b.stop), range->step * b.step});
  }
  fail("'" + value.type_name() + "' object cannot be sliced");
}

Value call_value(Runtime& runtime, const Value& callee, const Call& call) {
  require_defined(callee);
  if (auto* object = callee.object<Object>())
    if (auto result = object->call(runtime, call)) return *result;
  fail("'" + callee.type_name() + "' object is not callable");
}

std::vector<Value> iterate(Runtime& runtime, const Value& value) {
  Meter& meter = runtime.meter;
  std::vector<Value> items;
  if (value.is_undefined()) return items;
  if (const auto* list = value.as<List>()) {
    meter.step(list->items.size());
    return list->items;
  }
  if (const auto* text = value.as<Text>()) {
    meter.text(text->size());
    for (const CodePoint& c : code_points(text->bytes()))
      items.push_back(meter.string(text->slice(c.begin, c.end)));
    return items;
  }
  if (const auto* dict = value.as<Dict>()) {
    meter.step(dict->size());
    for (const auto& item : dict->items()) items.push_back(item.first);
    return items;
  }
  if (const auto* range = value.as<Range>()) {
    meter.step(size_t(range->length()));
    for (int64_t i = 0, n = range->length(); i < n; ++i) items.emplace_back(range->at(i));
    return items;
  }
  if (auto* object = value.object<Object>())
    if (auto taken = object->take_items(runtime)) return std::move(*taken);
  fail("'" + value.type_name() + "' object is not iterable");
}

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.as<List>() || value.as<Text>() || value.as<Dict>() ||
         value.as<Range>() || value.object<Generator>() ||
         (value.object<Object>() && value.object<Object>()->length());
}

std::optional<int64_t> length_of(const Value& value) {
  if (value.is_undefined()) return 0;
  if (const auto* list = value.as<List>()) return int64_t(list->items.size());
  if (const auto* text = value.as<Text>()) return int64_t(count_code_points(text->bytes()));
  if (const auto* dict = value.as<Dict>()) return int64_t(dict->size());
  if (const auto* range = value.as<Range>()) return range->length();
  if (auto* object = value.object<Object>()) return object->length();
  return std::nullopt;
}

bool contains(Runtime& runtime, const Value& container, const Value& item) {
  Meter& meter = runtime.meter;
  if (const auto* text = container.as<Text>()) {
    const auto* part = item.as<Text>();
    if (!part) {
      fail("'in <string>' requires string as left operand, not " + item.type_name());
    }
    meter.step(1 + text->size() / 64);
    return text->bytes().find(part->bytes()) != std::string::npos;
  }
  if (const auto* dict = container.as<Dict>()) return dict->find(meter, item) != nullptr;
  if (!is_iterable(container)) fail("argument of type '" + container.type_name() + "' is not iterable");
  if (const auto* range = container.as<Range>(); range && item.as_index()) {
    const int64_t i = *item.as_index();
    const int64_t low = range->step > 0 ? range->start : range->at(range->length() - 1);
    const int64_t high = range->step > 0 ? range->at(range->length() - 1) : range->start;
    return range->length() > 0 && i >= low && i <= high && (i - range->start) % range->step == 0;
  }
  for (const Value& other : iterate(runtime, container))
    if (equal(meter, other, item)) return true;
  return false;
}

std::optional<Value> Namespace::attribute(Runtime&, std::string_view name) {
  const auto found = values_.find(name);
  return found == values_.end() ? std::nullopt : std::optional<Value>(found->second);
}

void Namespace::set(Meter& meter, const std::string& name, Value value) {
  meter.depth(value.depth() + 1);
  meter.step();
  values_.insert_or_assign(name, std::move(value));
}

void Generator::start() {
  if (!produce_) return;
  const Produce produce = std::exchange(produce_, nullptr);
  items_ = produce();
}

std::optional<std::vector<Value>> Generator::take_items(Runtime& runtime) {
  start();
  std::vector<Value> rest(items_.begin() + std::ptrdiff_t(std::min(next_, items_.size())), items_.end());
  runtime.meter.step(rest.size());
  next_ = items_.size();
  return rest;
}

std::optional<Value> Generator::take_one(Runtime&) {
  start();
  if (next_ >= items_.size()) return std::nullopt;
  return items_[next_++];
}

Value make_closure(Runtime& runtime, size_t depth, Closure::Function function) {
  runtime.meter.depth(depth + 1);
  return std::shared_ptr<Object>(std::make_shared<Closure>(depth + 1, std::move(function)));
}

Value make_generator(Runtime& runtime, const Value& source, Generator::Produce produce) {
  runtime.meter.depth(source.depth() + 1);
  return std::shared_ptr<Object>(
      std::make_shared<Generator>("generator", source.depth() + 1, std::move(produce)));
}

}  // namespace assay::jinja
