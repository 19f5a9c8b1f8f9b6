#include "cli/inject.h"

#include <fmt/ranges.h>

#include "base/load_error.h"

namespace assay::cli {

void add_inject_option(CLI::App& app, std::vector<std::string>& ids, const std::string& what) {
  app.add_option("--inject", ids, what + " (ids of `assay faults`, separated by commas), to test diagnosers")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->option_text("FAULT,...");
}

std::vector<const Fault*> need_faults(const std::vector<std::string>& ids) {
  std::vector<const Fault*> faults;
  for (const std::string& id : ids) faults.push_back(&need_fault(id));
  return faults;
}

void fail_untouched(const std::vector<std::string>& ids, std::string_view what) {
  throw UsageError(fmt::format("--inject {}: {} has nothing that {} could touch", fmt::join(ids, ","), what,
                               ids.size() == 1 ? "this fault" : "one of these faults"));
}

InjectedFaults::InjectedFaults(const Model& model, const std::vector<std::string>& ids, size_t n_threads)
    : pool_(n_threads ? n_threads : ThreadPool::default_threads()), engine_(model, pool_, need_faults(ids)) {
  if (!engine_.applies()) fail_untouched(ids, "the model");
}

}  // namespace assay::cli
