// Walks the tree of a template and writes its text.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/ast.h"
#include "jinja/runtime.h"

namespace assay::jinja {

/// Variables of one block. Loops, macros, `with`, `filter`, `call` and block `set` open one; `if` does not.
struct Scope {
  Scope* parent = nullptr;
  bool is_captured = false;  // a macro or recursive loop may still read it after its block ended
  std::map<std::string, Value, std::less<>> variables;
};

/// One render. Throws TemplateError.
class Interpreter {
 public:
  /// `source` is the normalized source that `body` was parsed from; both outlive the interpreter.
  Interpreter(const std::string& source, const Limits& limits, const std::tm& now);

  Runtime& runtime() { return runtime_; }
  Scope& root() { return *root_; }
  Text render(const Body& body);

  // For the objects that run template code: macros and recursive loops.
  Value call_function(const Function& function, Scope& definition, const Call& call);
  Value call_loop(const ForStmt& loop, Scope& definition, const Value& iterable, size_t depth);

 private:
  class OpenScope;
  class Nested;
  enum class Flow { next, break_loop, continue_loop };

  // Statements. They write to *out_ and say how the loop around them goes on.
  Flow run(const Body& body);
  Flow run(const Stmt& statement);
  Flow run_node(const Stmt&, const DataStmt& data);
  Flow run_node(const Stmt&, const PrintStmt& print);
  Flow run_node(const Stmt&, const IfStmt& statement);
  Flow run_node(const Stmt&, const ForStmt& loop);
  Flow run_node(const Stmt&, const SetStmt& set);
  Flow run_node(const Stmt&, const SetBlockStmt& set);
  Flow run_node(const Stmt&, const MacroStmt& macro);
  Flow run_node(const Stmt&, const CallStmt& call);
  Flow run_node(const Stmt&, const FilterStmt& filter);
  Flow run_node(const Stmt&, const WithStmt& with);
  Flow run_node(const Stmt&, const ScopeStmt& scope);
  Flow run_node(const Stmt&, const BreakStmt&) { return Flow::break_loop; }
  Flow run_node(const Stmt&, const ContinueStmt&) { return Flow::continue_loop; }

  Flow run_loop(const ForStmt& loop, const std::vector<Value>& items, size_t depth0);
  std::vector<Value> loop_items(const ForStmt& loop, const Value& iterable);
  /// Runs `body` in a scope of its own with its output in `text`.
  Flow capture(const Body& body, Text& text);
  void write(const Text& text);
  void assign(const Target& target, Value value);
  void assign_tuple(const Target& target, const Value& value);
  Value filtered(const std::vector<NamedCall>& filters, Value value);
  void bind_parameters(const Function& function, const Call& call);

  // Expressions.
  Value eval(const Expr& expr);
  Value eval_or_none(const ExprPtr& expr) { return expr ? eval(*expr) : Value(); }
  Value eval_node(const LiteralExpr& literal) { return literal.value; }
  Value eval_node(const NameExpr& name) { return lookup(name.name); }
  Value eval_node(const ListExpr& list);
  Value eval_node(const DictExpr& dict);
  Value eval_node(const UnaryExpr& unary);
  Value eval_node(const BinaryExpr& binary);
  Value eval_node(const LogicExpr& logic);
  Value eval_node(const CompareExpr& compare);
  Value eval_node(const ConcatExpr& concat);
  Value eval_node(const ConditionalExpr& conditional);
  Value eval_node(const AttributeExpr& attribute);
  Value eval_node(const ItemExpr& item);
  Value eval_node(const SliceExpr& slice);
  Value eval_node(const CallExpr& call);
  Value eval_node(const FilterExpr& filter);
  Value eval_node(const TestExpr& test);
  bool compare_one(CompareExpr::Op op, const Value& left, const Value& right);
  Call eval_arguments(const Arguments& arguments);
  Value apply_named(const NamedCall& named, const Value& self, const char* what);
  Value lookup(const std::string& name);

  void capture_scopes();

  const std::string& source_;
  Runtime runtime_;
  std::vector<std::unique_ptr<Scope>> kept_;  // captured scopes, until the render ends
  std::unique_ptr<Scope> root_;
  Scope* scope_;
  Text output_;
  Text* out_ = &output_;
  size_t n_nested_ = 0, n_calls_ = 0;
};

}  // namespace assay::jinja
