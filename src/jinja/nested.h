// Guards of the interpreter's recursion.
#pragma once
#include "jinja/interpreter.h"

namespace assay::jinja {

/// One evaluation inside another, and one step of the meter. Throws Fault of kind limit.
class Interpreter::Nested {
 public:
  explicit Nested(Interpreter& interpreter) : n_nested_(interpreter.n_nested_) {
    Meter& meter = interpreter.runtime_.meter;
    meter.step();
    if (n_nested_ >= meter.limits().eval_depth)
      fail_limit("evaluation nested more than " + std::to_string(meter.limits().eval_depth) + " deep");
    ++n_nested_;
  }
  ~Nested() { --n_nested_; }
  Nested(const Nested&) = delete;
  Nested& operator=(const Nested&) = delete;

 private:
  size_t& n_nested_;
};

/// A scope that is open while it lives and is kept afterwards when something captured it.
class Interpreter::OpenScope {
 public:
  OpenScope(Interpreter& interpreter, Scope& parent)
      : interpreter_(interpreter), outer_(interpreter.scope_), scope_(std::make_unique<Scope>()) {
    scope_->parent = &parent;
    interpreter_.scope_ = scope_.get();
  }
  ~OpenScope() {
    interpreter_.scope_ = outer_;
    if (scope_->is_captured) interpreter_.kept_.push_back(std::move(scope_));
  }
  OpenScope(const OpenScope&) = delete;
  OpenScope& operator=(const OpenScope&) = delete;

  void set(const std::string& name, Value value) {
    scope_->variables.insert_or_assign(name, std::move(value));
  }

 private:
  Interpreter& interpreter_;
  Scope* outer_;
  std::unique_ptr<Scope> scope_;
};

}  // namespace assay::jinja
