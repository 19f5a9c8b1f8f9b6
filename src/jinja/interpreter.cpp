#include "jinja/interpreter.h"

#include <algorithm>
#include <utility>

#include "jinja/loop.h"
#include "jinja/nested.h"

namespace assay::jinja {
namespace {

/// A macro, or what caller() runs.
class Macro : public Object {
 public:
  Macro(Interpreter& interpreter, std::shared_ptr<const Function> function, Scope& definition)
      : interpreter_(interpreter), function_(std::move(function)), definition_(definition) {}
  std::string type_name() const override { return "Macro"; }
  std::string repr() const override {
    return function_->name.empty() ? "<Macro anonymous>" : "<Macro '" + function_->name + "'>";
  }
  bool is_callable() const override { return true; }
  std::optional<Value> call(Runtime&, const Call& call) override {
    return interpreter_.call_function(*function_, definition_, call);
  }
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override {
    if (name == "name") return runtime.meter.string(function_->name);
    return std::nullopt;
  }

 private:
  Interpreter& interpreter_;
  std::shared_ptr<const Function> function_;
  Scope& definition_;
};

}  // namespace

Interpreter::Interpreter(const std::string& source, const Limits& limits, const std::tm& now)
    : source_(source), runtime_(limits, now), root_(std::make_unique<Scope>()), scope_(root_.get()) {}

Text Interpreter::render(const Body& body) {
  run(body);
  return std::move(output_);
}

void Interpreter::write(const Text& text) {
  const size_t most = runtime_.meter.limits().output_bytes;
  if (text.size() > most - std::min(most, out_->size()))
    fail_limit("output longer than " + std::to_string(most) + " bytes");
  runtime_.meter.text(text.size());
  out_->append(text);
}

Interpreter::Flow Interpreter::run(const Body& body) {
  for (const Stmt& statement : body)
    if (const Flow flow = run(statement); flow != Flow::next) return flow;
  return Flow::next;
}

Interpreter::Flow Interpreter::run(const Stmt& statement) {
  try {
    const Nested nested(*this);
    return std::visit([&](const auto& node) { return run_node(statement, node); }, statement.node);
  } catch (const Fault& fault) {
    throw error_at(source_, statement.begin, statement.begin, fault);
  }
}

Interpreter::Flow Interpreter::run_node(const Stmt&, const DataStmt& data) {
  write(data.text);
  return Flow::next;
}

Interpreter::Flow Interpreter::run_node(const Stmt&, const PrintStmt& print) {
  for (const ExprPtr& value : print.values) write(to_text(runtime_.meter, eval(*value)));
  return Flow::next;
}

Interpreter::Flow Interpreter::run_node(const Stmt&, const IfStmt& statement) {
  for (const auto& branch : statement.branches)
    if (eval(*branch.first).truthy()) return run(branch.second);
  return run(statement.otherwise);
}

// ---- loops ----

Interpreter::Flow Interpreter::run_node(const Stmt&, const ForStmt& loop) {
  if (loop.recursive) capture_scopes();
  return run_loop(loop, loop_items(loop, eval(*loop.iterable)), 0);
}

std::vector<Value> Interpreter::loop_items(const ForStmt& loop, const Value& iterable) {
  std::vector<Value> items = iterate(runtime_, iterable);
  if (!loop.condition) return items;
  std::vector<Value> kept;
  for (Value& item : items) {
    OpenScope scope(*this, *scope_);
    assign(loop.target, item);
    if (eval(*loop.condition).truthy()) kept.push_back(std::move(item));
  }
  return kept;
}

Interpreter::Flow Interpreter::run_loop(const ForStmt& loop, const std::vector<Value>& items, size_t depth0) {
  const auto state = make_loop(*this, loop, *scope_, items, depth0);
  const LoopEnd end(*state);
  bool completed_one = false;  // Jinja2 runs `else` unless some pass reached its end
  for (size_t i = 0; i < items.size(); ++i) {
    runtime_.meter.step();
    state->move_to(i);
    OpenScope scope(*this, *scope_);
    scope.set("loop", std::shared_ptr<Object>(state));
    assign(loop.target, items[i]);
    const Flow flow = run(loop.body);
    if (flow == Flow::break_loop) break;
    if (flow == Flow::next) completed_one = true;
  }
  if (completed_one || loop.otherwise.empty()) return Flow::next;
  OpenScope scope(*this, *scope_);
  return run(loop.otherwise);
}

Value Interpreter::call_loop(const ForStmt& loop, Scope& definition, const Value& iterable, size_t depth) {
  if (n_calls_ >= runtime_.meter.limits().call_depth)
    fail_limit("calls nested more than " + std::to_string(runtime_.meter.limits().call_depth) + " deep");
  const Nested nested(*this);
  ++n_calls_;
  Text text;
  Text* outer_out = std::exchange(out_, &text);
  {
    OpenScope scope(*this, definition);
    scope_->is_captured = true;
    run_loop(loop, loop_items(loop, iterable), depth);
  }
  out_ = outer_out;
  --n_calls_;
  return runtime_.meter.string(std::move(text));
}

// ---- assignments ----

void Interpreter::assign(const Target& target, Value value) {
  if (!target.targets.empty()) return assign_tuple(target, value);
  if (target.attribute.empty()) {
    scope_->variables.insert_or_assign(target.name, std::move(value));
    return;
  }
  const Value object = lookup(target.name);
  auto* space = object.object<Namespace>();
  if (!space) fail("cannot assign attribute on non-namespace object '" + target.name + "'");
  space->set(runtime_.meter, target.attribute, std::move(value));
}

void Interpreter::assign_tuple(const Target& target, const Value& value) {
  std::vector<Value> items = iterate(runtime_, value);
  if (items.size() != target.targets.size())
    fail("expected " + std::to_string(target.targets.size()) + " values to unpack, got " +
         std::to_string(items.size()));
  for (size_t i = 0; i < items.size(); ++i) assign(target.targets[i], std::move(items[i]));
}

Interpreter::Flow Interpreter::run_node(const Stmt&, const SetStmt& set) {
  assign(set.target, eval(*set.value));
  return Flow::next;
}

Interpreter::Flow Interpreter::capture(const Body& body, Text& text) {
  Text* outer = std::exchange(out_, &text);
  OpenScope scope(*this, *scope_);
  const Flow flow = run(body);
  out_ = outer;
  return flow;
}

Value Interpreter::filtered(const std::vector<NamedCall>& filters, Value value) {
  for (const NamedCall& filter : filters) value = apply_named(filter, value, "filter");
  return value;
}

Interpreter::Flow Interpreter::run_node(const Stmt&, const SetBlockStmt& set) {
  Text text;
  if (const Flow flow = capture(set.body, text); flow != Flow::next) return flow;
  assign(set.target, filtered(set.filters, runtime_.meter.string(std::move(text))));
  return Flow::next;
}

Interpreter::Flow Interpreter::run_node(const Stmt&, const FilterStmt& filter) {
  Text text;
  if (const Flow flow = capture(filter.body, text); flow != Flow::next) return flow;
  const Value result = filtered(filter.filters, runtime_.meter.string(std::move(text)));
  const auto* shown = result.as<Text>();
  if (!shown) fail("filter block must give a string, got '" + result.type_name() + "'");
  write(*shown);
  return Flow::next;
}

Interpreter::Flow Interpreter::run_node(const Stmt&, const WithStmt& with) {
  std::vector<Value> values;  // of the scope around the block
  for (const auto& entry : with.values) values.push_back(eval(*entry.second));
  OpenScope scope(*this, *scope_);
  for (size_t i = 0; i < values.size(); ++i) assign(with.values[i].first, std::move(values[i]));
  return run(with.body);
}

Interpreter::Flow Interpreter::run_node(const Stmt&, const ScopeStmt& block) {
  OpenScope scope(*this, block.from_root ? *root_ : *scope_);
  return run(block.body);
}

// ---- macros ----

void Interpreter::capture_scopes() {
  for (Scope* scope = scope_; scope && !scope->is_captured; scope = scope->parent) scope->is_captured = true;
}

Interpreter::Flow Interpreter::run_node(const Stmt&, const MacroStmt& macro) {
  capture_scopes();
  scope_->variables.insert_or_assign(
      macro.function->name, std::shared_ptr<Object>(std::make_shared<Macro>(*this, macro.function, *scope_)));
  return Flow::next;
}

Interpreter::Flow Interpreter::run_node(const Stmt&, const CallStmt& statement) {
  capture_scopes();
  const auto& call = std::get<CallExpr>(statement.call->node);
  const Value callee = eval(*call.callee);
  Call given = eval_arguments(call.arguments);
  for (const auto& kwarg : given.kwargs)
    if (kwarg.first == "caller") fail("call block passes 'caller' itself");
  given.kwargs.emplace_back(
      "caller", std::shared_ptr<Object>(std::make_shared<Macro>(*this, statement.function, *scope_)));
  write(to_text(runtime_.meter, call_value(runtime_, callee, given)));
  return Flow::next;
}

Value Interpreter::call_function(const Function& function, Scope& definition, const Call& call) {
  if (n_calls_ >= runtime_.meter.limits().call_depth)
    fail_limit("calls nested more than " + std::to_string(runtime_.meter.limits().call_depth) + " deep");
  const Nested nested(*this);
  ++n_calls_;
  Text text;
  Text* outer_out = std::exchange(out_, &text);
  {
    OpenScope scope(*this, definition);
    bind_parameters(function, call);
    run(function.body);
  }
  out_ = outer_out;
  --n_calls_;
  return runtime_.meter.string(std::move(text));
}

/// Stores the arguments of `call` in the open scope, as Jinja2's Macro does.
void Interpreter::bind_parameters(const Function& function, const Call& call) {
  Meter& meter = runtime_.meter;
  const std::string callee = "macro '" + function.name + "'";
  const auto& parameters = function.parameters;
  std::vector<bool> used(call.kwargs.size(), false);
  const auto take_kwarg = [&](const std::string& name) -> std::optional<Value> {
    for (size_t i = 0; i < call.kwargs.size(); ++i) {
      if (used[i] || call.kwargs[i].first != name) continue;
      used[i] = true;
      return call.kwargs[i].second;
    }
    return std::nullopt;
  };
  const size_t n_plain = parameters.size() - function.defaults.size();
  for (size_t i = 0; i < parameters.size(); ++i) {
    std::optional<Value> value =
        i < call.args.size() ? std::optional<Value>(call.args[i]) : take_kwarg(parameters[i]);
    if (!value && i >= n_plain) value = eval(*function.defaults[i - n_plain]);
    if (!value) value = Value::undefined("parameter '" + parameters[i] + "' was not provided");
    scope_->variables.insert_or_assign(parameters[i], std::move(*value));
  }
  if (function.uses_caller)
    scope_->variables["caller"] = take_kwarg("caller").value_or(Value::undefined("no caller defined"));
  if (function.uses_varargs) {
    const size_t n_bound = std::min(parameters.size(), call.args.size());
    scope_->variables["varargs"] =
        meter.tuple(std::vector<Value>(call.args.begin() + std::ptrdiff_t(n_bound), call.args.end()));
  } else if (call.args.size() > parameters.size()) {
    fail(callee + " takes not more than " + std::to_string(parameters.size()) + " arguments");
  }
  Dict rest;
  for (size_t i = 0; i < call.kwargs.size(); ++i) {
    if (used[i]) continue;
    if (!function.uses_kwargs) fail(callee + " takes no keyword argument '" + call.kwargs[i].first + "'");
    rest.insert(meter, meter.string(call.kwargs[i].first), call.kwargs[i].second);
  }
  if (function.uses_kwargs) scope_->variables["kwargs"] = meter.dict(std::move(rest));
}

}  // namespace assay::jinja
