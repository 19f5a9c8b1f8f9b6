// --inject: a run as an engine with a fault would run it, to test diagnosers with.
#pragma once
#include <string>

#include "cli/command.h"
#include "diagnose/faults/faulty_engine.h"

namespace assay::cli {

void add_inject_option(CLI::App& app, std::string& id);

class InjectedFault {
 public:
  /// Throws UsageError for an unknown id, a fault of tokens or prompts, or one that touches nothing of the
  /// model. `n_threads` 0: all.
  InjectedFault(const Model& model, const std::string& id, size_t n_threads);
  FaultyEngine& engine() { return engine_; }

 private:
  const Fault* fault_;
  ThreadPool pool_;
  FaultyEngine engine_;
};

}  // namespace assay::cli
