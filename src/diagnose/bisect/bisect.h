// The first operation that two sides do differently although they were given the same.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "diagnose/dumps/dump.h"
#include "diagnose/pattern.h"
#include "diagnose/verify/bounds.h"
#include "model/model.h"

namespace assay {

/// An operation that left its bound.
struct Divergence {
  std::string op, name;      // "linear", "Qcur-0"
  int layer = -1;            // -1: none
  std::string weight, note;  // the weight's name, of products and lookups; what else is known
  Excess worst{};            // where the difference is the largest multiple of what is allowed
  ErrorPattern pattern;
  std::string where;  // pattern.text()
  LockstepStep step;  // the inputs and both results; its call is of no use any more
  Values allowed;
};

struct BisectReport {
  size_t n_operations = 0, n_diverging = 0;
  std::optional<Divergence> first;
  std::vector<std::string> later;  // names of the other diverging operations, at most 20
  std::vector<std::string> notes;  // sentences: what was compared, what types explain
};

/// What may differ in a step, and what to say about it when it does.
struct Judgement {
  Values allowed;
  std::string note;
};
using Judge = std::function<Judgement(const LockstepStep&)>;

/// Runs `ids` as one batch from position 0 through both evaluators of one model in lockstep.
/// `second_is_right` says which result the other is described by. Throws what the run threw.
BisectReport bisect(const Model& model, Ops& first, Ops& second, bool second_is_right,
                    std::span<const int32_t> ids, KvType kv_type, const Judge& judge);

/// Two evaluators of one file. Equal in every bit when `a` says so by u = 0.
BisectReport bisect_evaluators(const Model& model, Ops& first, Ops& second, bool second_is_right,
                               const Arithmetic& a, std::span<const int32_t> ids, KvType kv_type);

/// Two files of one architecture on the exact evaluator: each operation with a's inputs and b's parameters.
/// Products and lookups may differ by what the two types explain; everything else not at all. What a type
/// explains is measured on the weights themselves: a's values encoded as b's type and b's values encoded as
/// a's, both errors added as squares, and twice that allowed: a tensor beyond it holds a bit a weight less
/// than its type can (a bit halves the error). Throws UsageError when the files do not ask for the same
/// operations.
BisectReport bisect_files(const Model& a, const Model& b, ThreadPool& pool, std::span<const int32_t> ids,
                          KvType kv_type);

/// A file on the exact evaluator, and what another engine says that it computed, by the names of `assay
/// trace`: every operation starts from the engine's own numbers where the dump has them. Throws UsageError
/// when no name fits or a shape does not.
BisectReport bisect_trace(const Model& model, const Dump& dump, ThreadPool& pool,
                          std::span<const int32_t> ids, KvType kv_type);

/// Writes DIR/inputs.safetensors for replay: the inputs, both results and what may differ. Throws
/// MachineError.
void save_divergence(const Divergence& divergence, std::span<const int32_t> ids,
                     const std::filesystem::path& dir);

}  // namespace assay
