// The tree of a parsed template. Offsets are bytes of the normalized source.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "jinja/call.h"
#include "jinja/operators.h"
#include "jinja/value.h"

namespace assay::jinja {

struct Expr;
struct Stmt;
using ExprPtr = std::unique_ptr<Expr>;
using Body = std::vector<Stmt>;

/// Arguments of a call, a filter or a test.
struct Arguments {
  std::vector<ExprPtr> args;
  std::vector<std::pair<std::string, ExprPtr>> kwargs;
  ExprPtr more_args, more_kwargs;  // *args and **kwargs; may be null
};

// ---- expressions ----

struct LiteralExpr {
  Value value;
};
struct NameExpr {
  std::string name;
};
struct ListExpr {
  List::Kind kind;  // list or tuple
  std::vector<ExprPtr> items;
};
struct DictExpr {
  std::vector<std::pair<ExprPtr, ExprPtr>> items;
};
struct UnaryExpr {
  enum class Op { negate, positive, negation };
  Op op;
  ExprPtr operand;
};
struct BinaryExpr {
  BinaryOp op;
  ExprPtr left, right;
};
struct LogicExpr {
  bool is_and;
  ExprPtr left, right;
};
struct CompareExpr {
  enum class Op { eq, ne, lt, le, gt, ge, in, not_in };
  ExprPtr first;
  std::vector<std::pair<Op, ExprPtr>> rest;  // a < b < c is one comparison with two parts
};
struct ConcatExpr {
  std::vector<ExprPtr> parts;
};
struct ConditionalExpr {
  ExprPtr condition, then, otherwise;  // otherwise may be null
};
struct AttributeExpr {
  ExprPtr object;
  std::string name;
};
struct ItemExpr {
  ExprPtr object, key;
};
struct SliceExpr {
  ExprPtr object, start, stop, step;  // bounds may be null
};
struct CallExpr {
  ExprPtr callee;
  Arguments arguments;
};
/// Filter or test by name. `builtin` is null when there is none of that name: an error when it is reached.
struct NamedCall {
  const Builtin* builtin;
  std::string name;
  Arguments arguments;
};
struct FilterExpr {
  ExprPtr input;
  NamedCall filter;
};
struct TestExpr {
  ExprPtr input;
  NamedCall test;
  bool negated;
};

struct Expr {
  size_t begin, end;  // source text of the expression
  size_t depth;       // height of its tree, for Limits::parse_depth
  std::variant<LiteralExpr, NameExpr, ListExpr, DictExpr, UnaryExpr, BinaryExpr, LogicExpr, CompareExpr,
               ConcatExpr, ConditionalExpr, AttributeExpr, ItemExpr, SliceExpr, CallExpr, FilterExpr,
               TestExpr>
      node;
};

// ---- statements ----

/// What an assignment or a loop stores into: a name, `namespace.attribute`, or a tuple of targets.
struct Target {
  size_t begin;
  std::string name;             // empty for a tuple
  std::string attribute;        // not empty for namespace.attribute
  std::vector<Target> targets;  // of a tuple
};

/// Parameters and body of a macro or call block.
struct Function {
  std::string name;
  std::vector<std::string> parameters;
  std::vector<ExprPtr> defaults;  // of the last parameters
  Body body;
  bool uses_caller = false, uses_varargs = false, uses_kwargs = false;  // names that the body reads
};

struct DataStmt {
  Text text;
};
struct PrintStmt {
  std::vector<ExprPtr> values;
};
struct IfStmt {
  std::vector<std::pair<ExprPtr, Body>> branches;
  Body otherwise;
};
struct ForStmt {
  Target target;
  ExprPtr iterable, condition;  // condition may be null
  bool recursive;
  Body body, otherwise;
};
struct SetStmt {
  Target target;
  ExprPtr value;
};
struct SetBlockStmt {
  Target target;
  std::vector<NamedCall> filters;
  Body body;
};
struct MacroStmt {
  std::shared_ptr<const Function> function;
};
struct CallStmt {
  std::shared_ptr<const Function> function;  // what caller() runs
  ExprPtr call;                              // its node is a CallExpr
};
struct FilterStmt {
  std::vector<NamedCall> filters;
  Body body;
};
struct WithStmt {
  std::vector<std::pair<Target, ExprPtr>> values;
  Body body;
};
/// A body with a scope of its own: {% generation %}, and {% block %}, which sees only the outermost scope.
struct ScopeStmt {
  bool from_root;
  Body body;
};
struct BreakStmt {};
struct ContinueStmt {};

struct Stmt {
  size_t begin;
  std::variant<DataStmt, PrintStmt, IfStmt, ForStmt, SetStmt, SetBlockStmt, MacroStmt, CallStmt, FilterStmt,
               WithStmt, ScopeStmt, BreakStmt, ContinueStmt>
      node;
};

}  // namespace assay::jinja
