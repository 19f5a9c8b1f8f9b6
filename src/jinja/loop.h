// The `loop` variable of a for loop.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "jinja/interpreter.h"

namespace assay::jinja {

class Loop : public Object {
 public:
  /// `definition`: the scope around the loop, for recursive calls; it outlives the render when the loop is
  /// recursive.
  Loop(Interpreter& interpreter, const ForStmt& statement, Scope& definition, std::vector<Value> items,
       size_t depth0, size_t nesting)
      : interpreter_(interpreter),
        statement_(statement),
        definition_(definition),
        items_(std::move(items)),
        depth0_(depth0),
        nesting_(nesting) {}

  void move_to(size_t index) { index_ = index; }
  /// The loop is over: it keeps its last state and remembers nothing more.
  void finish() {
    is_finished_ = true;
    last_changed_.reset();
  }

  std::string type_name() const override { return "LoopContext"; }
  std::string repr() const override;
  bool is_callable() const override { return true; }
  std::optional<Value> attribute(Runtime& runtime, std::string_view name) override;
  std::optional<Value> call(Runtime& runtime, const Call& call) override;
  std::optional<int64_t> length() const override { return int64_t(items_.size()); }
  size_t depth() const override { return nesting_; }

  Value cycle(const Call& call) const;
  Value changed(Runtime& runtime, const Call& call);

 private:
  Interpreter& interpreter_;
  const ForStmt& statement_;
  Scope& definition_;
  std::vector<Value> items_;
  size_t depth0_, nesting_;
  size_t index_ = 0;
  bool is_finished_ = false;
  std::optional<std::vector<Value>> last_changed_;
};

std::shared_ptr<Loop> make_loop(Interpreter& interpreter, const ForStmt& statement, Scope& definition,
                                const std::vector<Value>& items, size_t depth0);

/// Finishes a loop however it is left: what loop.changed() stored could hold the loop itself.
class LoopEnd {
 public:
  explicit LoopEnd(Loop& loop) : loop_(loop) {}
  ~LoopEnd() { loop_.finish(); }
  LoopEnd(const LoopEnd&) = delete;
  LoopEnd& operator=(const LoopEnd&) = delete;

 private:
  Loop& loop_;
};

}  // namespace assay::jinja
