// Filters that rearrange or measure sequences.
#include <algorithm>
#include <array>

#include "jinja/filters.h"
#include "jinja/operators.h"
#include "jinja/text_ops.h"

namespace assay::jinja {
namespace {

Value do_length(Runtime&, const Value& self, const Args&) {
  const auto length = length_of(self);
  if (!length) fail("object of type '" + self.type_name() + "' has no len()");
  return *length;
}

Value do_first(Runtime& runtime, const Value& self, const Args&) {
  if (auto* generator = self.object<Generator>())
    if (auto item = generator->take_one(runtime)) return *item;
  const std::vector<Value> items = iterate(runtime, self);
  return items.empty() ? Value::undefined("no first item, sequence was empty") : items.front();
}

Value do_last(Runtime& runtime, const Value& self, const Args&) {
  if (self.object<Generator>()) fail("'generator' object is not reversible");
  const std::vector<Value> items = iterate(runtime, self);
  return items.empty() ? Value::undefined("no last item, sequence was empty") : items.back();
}

Value do_list(Runtime& runtime, const Value& self, const Args&) {
  return runtime.meter.list(iterate(runtime, self));
}

Value do_join(Runtime& runtime, const Value& self, const Args& args) {
  const AttributeGetter getter(args.or_none(1));
  const Text separator = args.passed(0) ? to_text(runtime.meter, args[0]) : Text();
  Text out;
  bool first = true;
  for (const Value& item : iterate(runtime, self)) {
    if (!std::exchange(first, false)) out.append(separator);
    out.append(to_text(runtime.meter, getter(runtime, item)));
    if (out.size() > runtime.meter.limits().string_bytes) runtime.meter.text(out.size());
    runtime.meter.step(1 + separator.size() / 16);
  }
  return runtime.meter.string(std::move(out));
}

Value do_reverse(Runtime& runtime, const Value& self, const Args&) {
  if (const auto* text = self.as<Text>()) {
    runtime.meter.text(text->size());
    return runtime.meter.string(reversed(*text));
  }
  std::vector<Value> items = iterate(runtime, self);
  std::reverse(items.begin(), items.end());
  if (self.object<Generator>()) return runtime.meter.list(std::move(items));
  return make_generator(runtime, self, [items] { return items; });
}

/// `items` in the order of `keys`, stably; `reverse` keeps equal items in their order, as Python's sorted
/// does.
std::vector<Value> sorted(Runtime& runtime, const std::vector<Value>& items, const std::vector<Value>& keys,
                          bool reverse) {
  std::vector<size_t> order(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const int sign = compare(runtime.meter, keys[a], keys[b], "<");
    return reverse ? sign == 1 : sign < 0;
  });
  std::vector<Value> out;
  for (const size_t i : order) out.push_back(items[i]);
  return out;
}

/// Keys of `items` for sorting: attributes, without case unless `case_sensitive`.
std::vector<Value> keys_of(Runtime& runtime, const std::vector<Value>& items, const AttributeGetter& getter,
                           bool case_sensitive) {
  std::vector<Value> keys;
  for (const Value& item : items) {
    const Value key = getter(runtime, item);
    keys.push_back(case_sensitive ? key : without_case(runtime, key));
  }
  return keys;
}

Value do_sort(Runtime& runtime, const Value& self, const Args& args) {
  const std::vector<Value> items = iterate(runtime, self);
  std::vector<AttributeGetter> getters;  // "a,b" sorts by a, then by b
  if (args.given(2) && args[2].as<Text>())
    for (const Text& part : split(args.text(2), ",", -1)) getters.emplace_back(runtime.meter.string(part));
  else
    getters.emplace_back(args.or_none(2));
  std::vector<std::vector<Value>> columns;
  for (const AttributeGetter& getter : getters)
    columns.push_back(keys_of(runtime, items, getter, args.truthy(1)));
  std::vector<Value> keys;
  for (size_t i = 0; i < items.size(); ++i) {
    std::vector<Value> key;
    for (const auto& column : columns) key.push_back(column[i]);
    keys.push_back(runtime.meter.list(std::move(key)));
  }
  return runtime.meter.list(sorted(runtime, items, keys, args.truthy(0)));
}

Value do_dictsort(Runtime& runtime, const Value& self, const Args& args) {
  require_defined(self);
  const auto* dict = self.as<Dict>();
  if (!dict) fail("'" + self.type_name() + "' object has no attribute 'items'");
  const std::string by = args.passed(1) ? args.text(1).bytes() : "key";
  if (by != "key" && by != "value") fail("you can only sort by either \"key\" or \"value\"");
  std::vector<Value> items, keys;
  for (const auto& item : dict->items()) {
    items.push_back(runtime.meter.tuple({item.first, item.second}));
    const Value& key = by == "key" ? item.first : item.second;
    keys.push_back(args.truthy(0) ? key : without_case(runtime, key));
  }
  return runtime.meter.list(sorted(runtime, items, keys, args.truthy(2)));
}

Value do_unique(Runtime& runtime, const Value& self, const Args& args) {
  const bool case_sensitive = args.truthy(0);
  const AttributeGetter getter(args.or_none(1));
  return make_generator(runtime, self, [&runtime, self, case_sensitive, getter] {
    std::vector<Value> kept;
    Dict seen;
    for (const Value& item : iterate(runtime, self)) {
      Value key = getter(runtime, item);
      if (!case_sensitive) key = without_case(runtime, key);
      if (seen.find(runtime.meter, key)) continue;
      seen.insert(runtime.meter, std::move(key), Value());
      kept.push_back(item);
    }
    return kept;
  });
}

template <bool kMost>
Value do_extreme(Runtime& runtime, const Value& self, const Args& args) {
  const std::vector<Value> items = iterate(runtime, self);
  if (items.empty()) return Value::undefined("no aggregated item, sequence was empty");
  const std::vector<Value> keys = keys_of(runtime, items, AttributeGetter(args.or_none(1)), args.truthy(0));
  size_t best = 0;
  for (size_t i = 1; i < items.size(); ++i) {
    const int sign = compare(runtime.meter, keys[i], keys[best], kMost ? ">" : "<");
    if (kMost ? sign == 1 : sign < 0) best = i;
  }
  return items[best];
}

Value do_sum(Runtime& runtime, const Value& self, const Args& args) {
  const AttributeGetter getter(args.or_none(0));
  Value total = args.passed(1) ? args[1] : Value(int64_t(0));
  if (total.as<Text>()) fail("sum() can't sum strings");
  for (const Value& item : iterate(runtime, self))
    total = apply_binary(runtime.meter, BinaryOp::add, total, getter(runtime, item));
  return total;
}

Value do_items(Runtime& runtime, const Value& self, const Args&) {
  return make_generator(runtime, self, [&runtime, self] {
    std::vector<Value> items;
    if (self.is_undefined()) return items;
    const auto* dict = self.as<Dict>();
    if (!dict) fail("can only get item pairs from a mapping");
    for (const auto& item : dict->items()) items.push_back(runtime.meter.tuple({item.first, item.second}));
    return items;
  });
}

Value do_groupby(Runtime& runtime, const Value& self, const Args& args) {
  const std::vector<Value> items = iterate(runtime, self);
  const AttributeGetter getter(args[0], args.or_none(1));
  const bool case_sensitive = args.truthy(2);
  const std::vector<Value> ordered =
      sorted(runtime, items, keys_of(runtime, items, getter, case_sensitive), false);
  const std::vector<Value> keys = keys_of(runtime, ordered, getter, case_sensitive);
  std::vector<Value> groups;
  for (size_t i = 0; i < ordered.size();) {
    size_t end = i + 1;
    while (end < ordered.size() && equal(runtime.meter, keys[end], keys[i])) ++end;
    std::vector<Value> members(ordered.begin() + std::ptrdiff_t(i), ordered.begin() + std::ptrdiff_t(end));
    const Value name = getter(runtime, members.front());
    groups.push_back(runtime.meter.list({name, runtime.meter.list(std::move(members))}, List::Kind::group));
    i = end;
  }
  return runtime.meter.list(std::move(groups));
}

Value do_batch(Runtime& runtime, const Value& self, const Args& args) {
  const int64_t size = args.integer(0);
  const Value fill = args.or_none(1);
  return make_generator(runtime, self, [&runtime, self, size, fill] {
    std::vector<Value> batches, batch;
    for (const Value& item : iterate(runtime, self)) {
      if (int64_t(batch.size()) == size) batches.push_back(runtime.meter.list(std::exchange(batch, {})));
      batch.push_back(item);
    }
    if (batch.empty()) return batches;
    while (!fill.is_none() && int64_t(batch.size()) < size) {
      runtime.meter.step();
      batch.push_back(fill);
    }
    batches.push_back(runtime.meter.list(std::move(batch)));
    return batches;
  });
}

Value do_slice(Runtime& runtime, const Value& self, const Args& args) {
  const int64_t n_slices = args.integer(0);
  const Value fill = args.or_none(1);
  return make_generator(runtime, self, [&runtime, self, n_slices, fill] {
    const std::vector<Value> items = iterate(runtime, self);
    if (n_slices == 0) fail("division by zero");
    std::vector<Value> slices;
    if (n_slices < 0) return slices;
    const int64_t each = int64_t(items.size()) / n_slices, n_longer = int64_t(items.size()) % n_slices;
    auto at = items.begin();
    for (int64_t i = 0; i < n_slices; ++i) {
      const auto end = at + std::ptrdiff_t(each + (i < n_longer ? 1 : 0));
      std::vector<Value> slice(at, end);
      if (!fill.is_none() && i >= n_longer) slice.push_back(fill);
      slices.push_back(runtime.meter.list(std::move(slice)));
      runtime.meter.step();
      at = end;
    }
    return slices;
  });
}

constexpr std::array kFilters = {
    Builtin{"batch", "linecount fill_with=", do_batch},
    Builtin{"count", "", do_length},
    Builtin{"dictsort", "case_sensitive= by= reverse=", do_dictsort},
    Builtin{"first", "", do_first},
    Builtin{"groupby", "attribute default= case_sensitive=", do_groupby},
    Builtin{"items", "", do_items},
    Builtin{"join", "d= attribute=", do_join},
    Builtin{"last", "", do_last},
    Builtin{"length", "", do_length},
    Builtin{"list", "", do_list},
    Builtin{"max", "case_sensitive= attribute=", do_extreme<true>},
    Builtin{"min", "case_sensitive= attribute=", do_extreme<false>},
    Builtin{"reverse", "", do_reverse},
    Builtin{"slice", "slices fill_with=", do_slice},
    Builtin{"sort", "reverse= case_sensitive= attribute=", do_sort},
    Builtin{"sum", "attribute= start=", do_sum},
    Builtin{"unique", "case_sensitive= attribute=", do_unique},
};

}  // namespace

std::span<const Builtin> sequence_filters() {
  return kFilters;
}

}  // namespace assay::jinja
