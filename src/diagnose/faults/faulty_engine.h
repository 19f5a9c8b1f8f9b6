// A model run as an engine with faults would run it.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "diagnose/faults/fault.h"
#include "ops/substitute_ops.h"

namespace assay {

/// The `exact` evaluator behind some faults: what differs from a healthy run is the faults' doing alone.
/// Faults of tokens and prompts change ids, not this. Not thread-safe; `model` and `pool` outlive it.
class FaultyEngine {
 public:
  /// Decodes faulty layouts, so it may take a while and as much memory as the tensors that they touch have as
  /// f32. Throws MachineError, and UsageError as
  /// hold_weights does.
  FaultyEngine(const Model& model, ThreadPool& pool, std::span<const Fault* const> faults = {});

  /// Whether every fault touches something that the model has.
  bool applies() const { return applies_; }
  /// The evaluator, faults in front. A decorator put around it sees what the engine would dump.
  Ops& ops() { return *outermost_; }
  /// Logits (n_tokens, vocab_size) of `ids` run as one batch from position 0. Throws UsageError,
  /// MachineError.
  std::vector<float> logits(std::span<const int32_t> ids, KvType kv_type);

 private:
  bool add_ops(const Fault& fault);  // whether it touches an operation of the model
  void replace(const Weight& healthy, Weight faulty);

  const Model& model_;
  std::unique_ptr<Ops> exact_;
  SubstituteOps weights_;
  std::vector<std::unique_ptr<ForwardOps>> wrapped_;
  Ops* outermost_;
  std::deque<Weight> replaced_;
  std::deque<std::vector<float>> values_;  // of replaced_
  bool applies_ = true;
};

}  // namespace assay
