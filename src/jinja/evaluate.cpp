// Expressions of the interpreter.
#include <string>
#include <utility>

#include "jinja/interpreter.h"
#include "jinja/nested.h"

namespace assay::jinja {

Value Interpreter::eval(const Expr& expr) {
  try {
    const Nested nested(*this);
    return std::visit([this](const auto& node) { return eval_node(node); }, expr.node);
  } catch (const Fault& fault) {
    throw error_at(source_, expr.begin, expr.end, fault);
  }
}

Value Interpreter::lookup(const std::string& name) {
  for (const Scope* scope = scope_; scope; scope = scope->parent)
    if (const auto found = scope->variables.find(name); found != scope->variables.end()) return found->second;
  return Value::undefined("'" + name + "' is undefined");
}

Value Interpreter::eval_node(const ListExpr& list) {
  std::vector<Value> items;
  items.reserve(list.items.size());
  for (const ExprPtr& item : list.items) items.push_back(eval(*item));
  return runtime_.meter.list(std::move(items), list.kind);
}

Value Interpreter::eval_node(const DictExpr& dict) {
  Dict built;
  for (const auto& item : dict.items) {
    Value key = eval(*item.first);
    built.insert(runtime_.meter, std::move(key), eval(*item.second));
  }
  return runtime_.meter.dict(std::move(built));
}

Value Interpreter::eval_node(const UnaryExpr& unary) {
  const Value operand = eval(*unary.operand);
  if (unary.op == UnaryExpr::Op::negation) return !operand.truthy();
  return unary.op == UnaryExpr::Op::negate ? negate(operand) : positive(operand);
}

Value Interpreter::eval_node(const BinaryExpr& binary) {
  const Value left = eval(*binary.left);
  return apply_binary(runtime_.meter, binary.op, left, eval(*binary.right));
}

Value Interpreter::eval_node(const LogicExpr& logic) {
  Value left = eval(*logic.left);
  return left.truthy() == logic.is_and ? eval(*logic.right) : left;
}

bool Interpreter::compare_one(CompareExpr::Op op, const Value& left, const Value& right) {
  using Op = CompareExpr::Op;
  Meter& meter = runtime_.meter;
  switch (op) {
    case Op::eq:
      return equal(meter, left, right);
    case Op::ne:
      return !equal(meter, left, right);
    case Op::lt:
      return compare(meter, left, right, "<") < 0;
    case Op::gt:
      return compare(meter, left, right, ">") == 1;
    case Op::le: {
      const int order = compare(meter, left, right, "<=");
      return order <= 0;
    }
    case Op::ge: {
      const int order = compare(meter, left, right, ">=");
      return order == 0 || order == 1;
    }
    case Op::in:
      return contains(runtime_, right, left);
    case Op::not_in:
      return !contains(runtime_, right, left);
  }
  return false;
}

Value Interpreter::eval_node(const CompareExpr& compare) {
  Value left = eval(*compare.first);
  for (const auto& part : compare.rest) {
    Value right = eval(*part.second);
    if (!compare_one(part.first, left, right)) return false;
    left = std::move(right);
  }
  return true;
}

Value Interpreter::eval_node(const ConcatExpr& concat) {
  Text joined;
  for (const ExprPtr& part : concat.parts) {
    joined.append(to_text(runtime_.meter, eval(*part)));
    runtime_.meter.text(joined.size());
  }
  return runtime_.meter.string(std::move(joined));
}

Value Interpreter::eval_node(const ConditionalExpr& conditional) {
  if (eval(*conditional.condition).truthy()) return eval(*conditional.then);
  if (conditional.otherwise) return eval(*conditional.otherwise);
  return Value::undefined("the inline if-expression evaluated to false and no else section was defined");
}

Value Interpreter::eval_node(const AttributeExpr& attribute) {
  return get_attribute(runtime_, eval(*attribute.object), attribute.name);
}

Value Interpreter::eval_node(const ItemExpr& item) {
  const Value object = eval(*item.object);
  return get_item(runtime_, object, eval(*item.key));
}

Value Interpreter::eval_node(const SliceExpr& slice) {
  const Value object = eval(*slice.object);
  const Value start = eval_or_none(slice.start), stop = eval_or_none(slice.stop);
  return get_slice(runtime_, object, start, stop, eval_or_none(slice.step));
}

Call Interpreter::eval_arguments(const Arguments& arguments) {
  Call call;
  for (const ExprPtr& arg : arguments.args) call.args.push_back(eval(*arg));
  for (const auto& kwarg : arguments.kwargs) call.kwargs.emplace_back(kwarg.first, eval(*kwarg.second));
  if (arguments.more_args)
    for (Value& arg : iterate(runtime_, eval(*arguments.more_args))) call.args.push_back(std::move(arg));
  if (!arguments.more_kwargs) return call;
  const Value more = eval(*arguments.more_kwargs);
  const auto* dict = more.as<Dict>();
  if (!dict) fail("argument after ** must be a mapping, not " + more.type_name());
  for (const auto& item : dict->items()) {
    const auto* name = item.first.as<Text>();
    if (!name) fail("keywords must be strings");
    for (const auto& kwarg : call.kwargs)
      if (kwarg.first == name->bytes())
        fail("got multiple values for keyword argument '" + kwarg.first + "'");
    runtime_.meter.step(1 + call.kwargs.size());
    call.kwargs.emplace_back(name->bytes(), item.second);
  }
  return call;
}

Value Interpreter::eval_node(const CallExpr& call) {
  const Value callee = eval(*call.callee);
  return call_value(runtime_, callee, eval_arguments(call.arguments));
}

Value Interpreter::apply_named(const NamedCall& named, const Value& self, const char* what) {
  if (!named.builtin) fail(std::string("no ") + what + " named '" + named.name + "'");
  return invoke(runtime_, *named.builtin, self, eval_arguments(named.arguments));
}

Value Interpreter::eval_node(const FilterExpr& filter) {
  return apply_named(filter.filter, eval(*filter.input), "filter");
}

Value Interpreter::eval_node(const TestExpr& test) {
  const bool holds = apply_named(test.test, eval(*test.input), "test").truthy();
  return holds != test.negated;
}

}  // namespace assay::jinja
