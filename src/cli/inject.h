// --inject: a run as an engine with faults would run it, to test diagnosers with.
#pragma once
#include <string>
#include <vector>

#include "cli/command.h"
#include "diagnose/faults/faulty_engine.h"

namespace assay::cli {

/// `what` is done with the faults: "Run on `exact` with these faults in it".
void add_inject_option(CLI::App& app, std::vector<std::string>& ids, const std::string& what);

/// Throws UsageError for an unknown id.
std::vector<const Fault*> need_faults(const std::vector<std::string>& ids);
/// "--inject a,b: WHAT has nothing that this could touch". Thrown for faults that change nothing there.
[[noreturn]] void fail_untouched(const std::vector<std::string>& ids, std::string_view what);

class InjectedFaults {
 public:
  /// Throws UsageError for an unknown id, a fault of tokens or prompts, one that touches nothing of the
  /// model, or two that exclude each other. `n_threads` 0: all.
  InjectedFaults(const Model& model, const std::vector<std::string>& ids, size_t n_threads);
  FaultyEngine& engine() { return engine_; }

 private:
  ThreadPool pool_;
  FaultyEngine engine_;
};

}  // namespace assay::cli
