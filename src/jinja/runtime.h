// The state of one render that filters, methods and functions share, and the access rules of the sandbox.
#pragma once
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "jinja/call.h"
#include "jinja/value.h"

namespace assay::jinja {

class Namespace;

class Runtime {
 public:
  Runtime(const Limits& limits, const std::tm& now) : meter(limits), now_(now) {}
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  /// Empties all namespaces, which breaks the cycles that only they can form.
  ~Runtime();

  const std::tm& now() const { return now_; }
  std::shared_ptr<Namespace> new_namespace();

  Meter meter;

 private:
  std::tm now_;
  std::vector<std::shared_ptr<Namespace>> namespaces_;
};

/// `value.name`: an attribute or method, else an item. Undefined when there is neither; Throws Fault on
/// undefined.
Value get_attribute(Runtime& runtime, const Value& value, std::string_view name);
/// `value[key]`: an item, else an attribute or method. Undefined when there is neither; Throws Fault on
/// undefined.
Value get_item(Runtime& runtime, const Value& value, const Value& key);
/// `value[start:stop:step]`; none stands for a bound left out.
Value get_slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
                const Value& step);
/// Calls `callee`. Throws Fault when it cannot be called.
Value call_value(Runtime& runtime, const Value& callee, const Call& call);

/// Items of anything that can be iterated over; takes them from a generator. Throws Fault.
std::vector<Value> iterate(Runtime& runtime, const Value& value);
bool is_iterable(const Value& value);
/// len(value); nullopt when it has none.
std::optional<int64_t> length_of(const Value& value);
/// `item in container`.
bool contains(Runtime& runtime, const Value& container, const Value& item);

/// The object of namespace(): the only value that changes.
class Namespace : public Object {
 public:
  std::string type_name() const override { return "Namespace"; }
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
  /// Cycles are broken at the end of the render; what is inside nests no deeper than the limit.
  void set(Meter& meter, const std::string& name, Value value);
  void clear() { values_.clear(); }

 private:
  std::map<std::string, Value, std::less<>> values_;
};

/// Items that are produced on first use and can be taken once, as from a Python generator.
class Generator : public Object {
 public:
  using Produce = std::function<std::vector<Value>()>;
  Generator(std::string type, size_t depth, Produce produce)
      : type_(std::move(type)), depth_(depth), produce_(std::move(produce)) {}
  std::string type_name() const override { return type_; }
  std::optional<std::vector<Value>> take_items(Runtime& runtime) override;
  /// The next item; nullopt when none is left.
  std::optional<Value> take_one(Runtime& runtime);
  size_t depth() const override { return depth_; }

 private:
  void start();
  std::string type_;
  size_t depth_;
  Produce produce_;
  std::vector<Value> items_;
  size_t next_ = 0;
};

/// A method taken from its object, or another function that carries values with it.
class Closure : public Object {
 public:
  using Function = std::function<Value(Runtime&, const Call&)>;
  Closure(size_t depth, Function function) : depth_(depth), function_(std::move(function)) {}
  std::string type_name() const override { return "method"; }
  bool is_callable() const override { return true; }
  std::optional<Value> call(Runtime& runtime, const Call& call) override { return function_(runtime, call); }
  size_t depth() const override { return depth_; }

 private:
  size_t depth_;
  Function function_;
};

/// `function` keeps a value alive that nests `depth` deep: the closure nests one deeper.
Value make_closure(Runtime& runtime, size_t depth, Closure::Function function);

/// `source` is what `produce` reads: the generator nests one deeper.
Value make_generator(Runtime& runtime, const Value& source, Generator::Produce produce);

}  // namespace assay::jinja
