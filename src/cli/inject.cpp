#include "cli/inject.h"

#include "base/load_error.h"

namespace assay::cli {

void add_inject_option(CLI::App& app, std::string& id) {
  app.add_option("--inject", id,
                 "Run on `exact` with this fault in it (`assay faults` lists them), to test diagnosers");
}

InjectedFault::InjectedFault(const Model& model, const std::string& id, size_t n_threads)
    : fault_(&need_fault(id)),
      pool_(n_threads ? n_threads : ThreadPool::default_threads()),
      engine_(model, pool_, {&fault_, 1}) {
  if (!engine_.applies())
    throw UsageError("--inject " + id + ": the model has nothing that this fault could touch");
}

}  // namespace assay::cli
