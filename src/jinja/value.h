// What a template computes with: a closed set of Python-like values. Nothing here reaches outside the render.
#pragma once
#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "jinja/limits.h"
#include "jinja/template_error.h"
#include "jinja/text.h"

namespace assay::jinja {

class Value;
class Meter;
class Runtime;
struct Call;

struct None {};
/// The value of what is not there; `why` is the message of the error that most uses of it raise.
struct Undefined {
  std::shared_ptr<const std::string> why;
};

struct List {
  enum class Kind {
    list,
    tuple,
    group,
    keys,
    values,
    items
  };  // group: a tuple with attributes grouper and list
  Kind kind;
  std::vector<Value> items;
  size_t depth;
  bool is_tuple() const { return kind == Kind::tuple || kind == Kind::group; }
  bool is_view() const { return kind >= Kind::keys; }
};

struct Range {
  int64_t start, stop, step;
  int64_t length() const;
  int64_t at(int64_t index) const { return start + index * step; }
};

/// Values with a behaviour: functions, macros, namespaces, generators. They are equal only to themselves.
class Object : public std::enable_shared_from_this<Object> {
 public:
  virtual ~Object() = default;
  virtual std::string type_name() const = 0;
  virtual std::string repr() const { return "<" + type_name() + ">"; }
  virtual std::optional<Value> attribute(Runtime& runtime, std::string_view name);
  /// nullopt: cannot be called.
  virtual std::optional<Value> call(Runtime& runtime, const Call& call);
  virtual bool is_callable() const { return false; }
  /// The items left, taken; nullopt: cannot be iterated over.
  virtual std::optional<std::vector<Value>> take_items(Runtime& runtime);
  virtual std::optional<int64_t> length() const { return std::nullopt; }
  virtual size_t depth() const { return 1; }
};

class Dict;

class Value {
 public:
  using Rep = std::variant<None, Undefined, bool, int64_t, double, std::shared_ptr<const Text>,
                           std::shared_ptr<const List>, std::shared_ptr<const Dict>,
                           std::shared_ptr<const Range>, std::shared_ptr<Object>>;

  Value() = default;
  template <std::same_as<bool> B>
  Value(B value) : rep_(value) {}
  Value(int64_t value) : rep_(value) {}
  Value(double value) : rep_(value) {}
  Value(Undefined value) : rep_(std::move(value)) {}
  Value(std::shared_ptr<const Text> value) : rep_(std::move(value)) {}
  Value(std::shared_ptr<const List> value) : rep_(std::move(value)) {}
  Value(std::shared_ptr<const Dict> value) : rep_(std::move(value)) {}
  Value(std::shared_ptr<const Range> value) : rep_(std::move(value)) {}
  Value(std::shared_ptr<Object> value) : rep_(std::move(value)) {}
  /// Text of the template or of this program, short and unmetered.
  static Value literal(std::string_view text) { return std::make_shared<const Text>(std::string(text)); }
  static Value undefined(std::string why) {
    return Undefined{std::make_shared<const std::string>(std::move(why))};
  }

  /// The content when the value is a T (bool, int64_t, double, Undefined, Text, List, Dict, Range or a
  /// subclass of Object), else null. A bool is not an int64_t here; see as_index().
  template <class T>
  const T* as() const {
    if constexpr (std::same_as<T, bool> || std::same_as<T, int64_t> || std::same_as<T, double> ||
                  std::same_as<T, Undefined>) {
      return std::get_if<T>(&rep_);
    } else {
      const auto* pointer = std::get_if<std::shared_ptr<const T>>(&rep_);
      return pointer ? pointer->get() : nullptr;
    }
  }
  template <std::derived_from<Object> T>
  T* object() const {
    const auto* pointer = std::get_if<std::shared_ptr<Object>>(&rep_);
    return pointer ? dynamic_cast<T*>(pointer->get()) : nullptr;
  }
  bool is_none() const { return std::holds_alternative<None>(rep_); }
  bool is_undefined() const { return std::holds_alternative<Undefined>(rep_); }
  bool is_number() const { return as_float().has_value(); }

  /// Value of an int or a bool, which Python takes wherever it takes an int.
  std::optional<int64_t> as_index() const;
  /// Value of an int, a bool or a float.
  std::optional<double> as_float() const;

  bool truthy() const;
  /// Python's name of the type: "int", "NoneType", "dict".
  std::string type_name() const;
  size_t depth() const;
  /// `a is b` of Python, for the values where templates can rely on it.
  bool is_same(const Value& other) const;
  const Rep& rep() const { return rep_; }

 private:
  Rep rep_;
};

/// Insertion-ordered and immutable once it is a Value; later values of a key replace earlier ones in place.
class Dict {
 public:
  /// Throws Fault when `key` is not hashable or nests too deep.
  void insert(Meter& meter, Value key, Value value);
  /// Null when absent. Throws Fault when `key` is not hashable.
  const Value* find(Meter& meter, const Value& key) const;
  const Value* find(std::string_view key) const;
  const std::vector<std::pair<Value, Value>>& items() const { return items_; }
  size_t size() const { return items_.size(); }
  size_t depth() const { return depth_; }

 private:
  std::vector<std::pair<Value, Value>> items_;
  std::unordered_multimap<size_t, size_t> by_hash_;
  size_t depth_ = 1;
};

/// What a render has left to spend. Every piece of work reports here; Throws Fault of kind limit.
class Meter {
 public:
  explicit Meter(const Limits& limits) : limits_(limits) {}
  const Limits& limits() const { return limits_; }
  void step(size_t n = 1) {
    if (n > limits_.steps - used_)
      fail_limit("template took more than " + std::to_string(limits_.steps) + " steps");
    used_ += n;
  }
  /// A string of `n_bytes` is about to be built.
  void text(size_t n_bytes) {
    if (n_bytes > limits_.string_bytes)
      fail_limit("string longer than " + std::to_string(limits_.string_bytes) + " bytes");
    step(1 + n_bytes / 16);
  }
  void depth(size_t n) const {
    if (n > limits_.value_depth)
      fail_limit("values nested more than " + std::to_string(limits_.value_depth) + " deep");
  }

  Value string(Text text);
  Value string(std::string bytes) { return string(Text(std::move(bytes))); }
  Value list(std::vector<Value> items, List::Kind kind = List::Kind::list);
  Value tuple(std::vector<Value> items) { return list(std::move(items), List::Kind::tuple); }
  Value dict(Dict dict);

 private:
  Limits limits_;
  size_t used_ = 0;
};

/// a == b of Python.
bool equal(Meter& meter, const Value& a, const Value& b);
/// <0, 0 or >0 as a is less than, equal to or greater than b; 2 when they are unordered (NaN). Throws Fault
/// where Python has no order. `op` names the operator in the message.
int compare(Meter& meter, const Value& a, const Value& b, std::string_view op);
/// Throws Fault: unhashable. Equal values have equal hashes.
size_t hash(Meter& meter, const Value& value);

/// str(value) and repr(value).
Text to_text(Meter& meter, const Value& value);
Text to_repr(Meter& meter, const Value& value);

/// Throws the error that using an undefined value raises; returns when `value` is defined.
void require_defined(const Value& value);

}  // namespace assay::jinja
