#include "jinja/loop.h"

#include <algorithm>

namespace assay::jinja {
std::shared_ptr<Loop> make_loop(Interpreter& interpreter, const ForStmt& statement, Scope& definition,
                                const std::vector<Value>& items, size_t depth0) {
  size_t deepest = 0;
  for (const Value& item : items) deepest = std::max(deepest, item.depth());
  interpreter.runtime().meter.depth(deepest + 1);
  return std::make_shared<Loop>(interpreter, statement, definition, items, depth0, deepest + 1);
}

std::string Loop::repr() const {
  return "<LoopContext " + std::to_string(index_ + 1) + "/" + std::to_string(items_.size()) + ">";
}

std::optional<Value> Loop::attribute(Runtime& runtime, std::string_view name) {
  const int64_t index0 = int64_t(index_), length = int64_t(items_.size());
  if (name == "index") return index0 + 1;
  if (name == "index0") return index0;
  if (name == "first") return index0 == 0;
  if (name == "last") return index0 + 1 == length;
  if (name == "length") return length;
  if (name == "revindex") return length - index0;
  if (name == "revindex0") return length - index0 - 1;
  if (name == "depth") return int64_t(depth0_) + 1;
  if (name == "depth0") return int64_t(depth0_);
  if (name == "previtem")
    return index_ > 0 ? items_[index_ - 1] : Value::undefined("there is no previous item");
  if (name == "nextitem")
    return index_ + 1 < items_.size() ? items_[index_ + 1] : Value::undefined("there is no next item");
  const auto self = std::static_pointer_cast<Loop>(shared_from_this());
  if (name == "cycle")
    return make_closure(runtime, nesting_, [self](Runtime&, const Call& call) { return self->cycle(call); });
  if (name == "changed")
    return make_closure(runtime, nesting_,
                        [self](Runtime& r, const Call& call) { return self->changed(r, call); });
  return std::nullopt;
}

std::optional<Value> Loop::call(Runtime&, const Call& call) {
  if (!statement_.recursive) fail("the loop must have the 'recursive' marker to be called recursively");
  const Args args(call, "iterable", "loop");
  return interpreter_.call_loop(statement_, definition_, args[0], depth0_ + 1);
}

Value Loop::cycle(const Call& call) const {
  if (call.args.empty()) fail("no items for cycling given");
  return call.args[index_ % call.args.size()];
}

Value Loop::changed(Runtime& runtime, const Call& call) {
  bool same = last_changed_ && last_changed_->size() == call.args.size();
  for (size_t i = 0; same && i < call.args.size(); ++i)
    same = equal(runtime.meter, (*last_changed_)[i], call.args[i]);
  if (!is_finished_) last_changed_ = call.args;
  return !same;
}

}  // namespace assay::jinja
