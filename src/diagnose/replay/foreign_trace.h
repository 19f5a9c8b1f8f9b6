// Another engine's intermediates, by llama.cpp's names.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "diagnose/dumps/dump.h"
#include "model/model.h"

namespace assay {

/// One intermediate; rows are tokens, or a mixture's (token, slot).
struct ForeignTensor {
  std::vector<uint64_t> shape;
  std::vector<float> values;
};

class ForeignTrace {
 public:
  ForeignTrace() = default;
  /// Reads every tensor of `dump`. Throws LoadError.
  explicit ForeignTrace(const Dump& dump);

  void add(std::string name, ForeignTensor tensor) {
    tensors_.insert_or_assign(std::move(name), std::move(tensor));
  }
  /// Relative rounding of the dump's number type, the coarsest one in it: 6e-8, 4.9e-4 (f16), 3.9e-3 (bf16).
  double rounding() const { return rounding_; }
  const std::map<std::string, ForeignTensor>& tensors() const { return tensors_; }

 private:
  std::map<std::string, ForeignTensor> tensors_;
  double rounding_ = 6e-8;
};

/// Names of a model's results in order of execution, and the foreign result for each. A name that several
/// operations share is "NAME:KIND" (then "NAME:KIND:2"); plain, it is the last of them.
class TraceAlignment {
 public:
  /// Runs one token to learn the order. `trace` outlives this. Throws MachineError.
  TraceAlignment(const Model& model, ThreadPool& pool, const ForeignTrace& trace);

  size_t size() const { return results_.size(); }
  const std::string& name(size_t i) const { return results_[i].name; }
  const std::string& op(size_t i) const { return results_[i].op; }
  /// Null where the trace has none.
  const ForeignTensor* foreign(size_t i) const { return results_[i].foreign; }
  /// Foreign names that no result of the model has.
  const std::vector<std::string>& unknown() const { return unknown_; }
  size_t n_present() const;

 private:
  struct Result {
    std::string name, op;
    const ForeignTensor* foreign = nullptr;
  };
  std::vector<Result> results_;
  std::vector<std::string> unknown_;
};

}  // namespace assay
