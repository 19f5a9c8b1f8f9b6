// The global functions, and the objects that some of them make.
#include <algorithm>
#include <array>

#include "jinja/functions.h"
#include "jinja/strftime.h"

namespace assay::jinja {
namespace {

/// A global function as a value.
class FunctionObject : public Object {
 public:
  explicit FunctionObject(const Builtin& function) : function_(function) {}
  std::string type_name() const override { return "function"; }
  std::string repr() const override { return "<function " + std::string(function_.name) + ">"; }
  bool is_callable() const override { return true; }
  std::optional<Value> call(Runtime& runtime, const Call& call) override {
    return invoke(runtime, function_, Value(), call);
  }

 private:
  const Builtin& function_;
};

/// What cycler() makes: next() goes round its items.
class Cycler : public Object {
 public:
  Cycler(std::vector<Value> items, size_t depth) : items_(std::move(items)), depth_(depth) {}
  std::string type_name() const override { return "Cycler"; }
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
  size_t depth() const override { return depth_; }

  Value next() {
    Value item = items_[at_];
    at_ = (at_ + 1) % items_.size();
    return item;
  }
  void reset() { at_ = 0; }

 private:
  std::vector<Value> items_;
  size_t depth_;
  size_t at_ = 0;
};

/// What joiner() makes: empty text on the first call, then the separator.
class Joiner : public Object {
 public:
  explicit Joiner(Value separator) : separator_(std::move(separator)) {}
  std::string type_name() const override { return "Joiner"; }
  bool is_callable() const override { return true; }
  std::optional<Value> call(Runtime&, const Call&) override {
    if (used_) return separator_;
    used_ = true;
    return Value::literal("");
  }
  size_t depth() const override { return separator_.depth() + 1; }

 private:
  Value separator_;
  bool used_ = false;
};

std::optional<Value> Cycler::attribute(Runtime& runtime, std::string_view name) {
  const auto self = std::static_pointer_cast<Cycler>(shared_from_this());
  if (name == "current") return items_[at_];
  if (name == "next")
    return make_closure(runtime, depth_, [self](Runtime&, const Call& call) {
      const Args none(call, "", "next");
      return self->next();
    });
  if (name == "reset")
    return make_closure(runtime, depth_, [self](Runtime&, const Call& call) {
      const Args none(call, "", "reset");
      self->reset();
      return Value();
    });
  return std::nullopt;
}

Value do_range(Runtime& runtime, const Value&, const Args& args) {
  Range range{0, args.integer(0), args.integer(2, 1)};
  if (args.passed(1)) range = {args.integer(0), args.integer(1), range.step};
  if (range.step == 0) fail("range() arg 3 must not be zero");
  const size_t most = runtime.meter.limits().range_length;
  // Far-apart ends make a length beyond int64_t.
  if (uint64_t(range.length()) > most) fail_limit("range of more than " + std::to_string(most) + " items");
  return std::make_shared<const Range>(range);
}

/// Pairs of a mapping or of an iterable of pairs, then the keyword arguments.
std::vector<std::pair<Value, Value>> pairs_of(Runtime& runtime, const Args& args) {
  std::vector<std::pair<Value, Value>> pairs;
  if (args.passed(0)) {
    if (const auto* dict = args[0].as<Dict>()) {
      pairs = dict->items();
    } else {
      for (const Value& pair : iterate(runtime, args[0])) {
        std::vector<Value> parts = iterate(runtime, pair);
        if (parts.size() != 2)
          fail("dictionary update sequence element has length " + std::to_string(parts.size()));
        pairs.emplace_back(std::move(parts[0]), std::move(parts[1]));
      }
    }
  }
  for (const auto& kwarg : args.rest().kwargs)
    pairs.emplace_back(runtime.meter.string(kwarg.first), kwarg.second);
  return pairs;
}

Value do_dict(Runtime& runtime, const Value&, const Args& args) {
  Dict dict;
  for (auto& pair : pairs_of(runtime, args))
    dict.insert(runtime.meter, std::move(pair.first), std::move(pair.second));
  return runtime.meter.dict(std::move(dict));
}

Value do_namespace(Runtime& runtime, const Value&, const Args& args) {
  auto space = runtime.new_namespace();
  for (auto& pair : pairs_of(runtime, args)) {
    const auto* name = pair.first.as<Text>();
    if (!name) fail("attribute names of a namespace are strings");
    space->set(runtime.meter, name->bytes(), std::move(pair.second));
  }
  return std::shared_ptr<Object>(std::move(space));
}

Value do_cycler(Runtime& runtime, const Value&, const Args& args) {
  const auto& items = args.rest().args;
  if (items.empty()) fail("at least one item has to be provided");
  size_t deepest = 0;
  for (const Value& item : items) deepest = std::max(deepest, item.depth());
  runtime.meter.depth(deepest + 1);
  return std::shared_ptr<Object>(std::make_shared<Cycler>(items, deepest + 1));
}

Value do_joiner(Runtime& runtime, const Value&, const Args& args) {
  const Value separator = args.passed(0) ? args[0] : Value::literal(", ");
  runtime.meter.depth(separator.depth() + 1);
  return std::shared_ptr<Object>(std::make_shared<Joiner>(separator));
}

Value do_raise(Runtime& runtime, const Value&, const Args& args) {
  throw Fault{ErrorKind::raised, to_text(runtime.meter, args[0]).bytes()};
}

Value do_strftime(Runtime& runtime, const Value&, const Args& args) {
  return runtime.meter.string(format_time(args.text(0).bytes(), runtime.now()));
}

Value refuse_lipsum(Runtime&, const Value&, const Args&) {
  refuse("function 'lipsum' is not available: a prompt depends on its input alone");
}

constexpr std::array kFunctions = {
    Builtin{"cycler", "*", do_cycler},
    Builtin{"dict", "pairs= **", do_dict},
    Builtin{"joiner", "sep=", do_joiner},
    Builtin{"lipsum", "* **", refuse_lipsum},
    Builtin{"namespace", "pairs= **", do_namespace},
    Builtin{"raise_exception", "message", do_raise},
    Builtin{"range", "start stop= step= /", do_range},
    Builtin{"strftime_now", "format", do_strftime},
};

}  // namespace

void add_functions(std::map<std::string, Value, std::less<>>& variables) {
  for (const Builtin& function : kFunctions)
    variables.insert_or_assign(std::string(function.name),
                               std::shared_ptr<Object>(std::make_shared<FunctionObject>(function)));
}

}  // namespace assay::jinja
