// assay verify: this machine's kernels, and a model file, against what is known to be right.
#include "diagnose/verify/verify.h"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <random>

#include "base/load_error.h"
#include "cli/chunk_progress.h"
#include "cli/json_output.h"
#include "cli/model_options.h"
#include "cli/terminal.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string model;
  size_t n_threads = 0;
  uint64_t seed = 0;
  bool mutants = false, json = false;
};

Json json_of(const Check& c) {
  return {{"subject", c.subject}, {"against", c.against}, {"cases", c.n_cases},   {"values", c.n_values},
          {"seconds", c.seconds}, {"skipped", c.skipped}, {"faults", c.n_faults}, {"told", c.faults}};
}

void print_check(const Check& c) {
  const std::string outcome =
      !c.skipped.empty() ? "skipped: " + c.skipped
      : c.n_faults == 0
          ? fmt::format("ok      {:>6} cases {:>11} values {:>6.2f} s", c.n_cases, c.n_values, c.seconds)
          : fmt::format("FAULT   {} of {} cases", c.n_faults, c.n_cases);
  print_text(fmt::format("{:<18} {:<42} {}\n", c.subject, c.against, outcome));
  for (const std::string& fault : c.faults) print_text("  " + fault + "\n");
  if (c.n_faults > c.faults.size()) print_text(fmt::format("  and {} more\n", c.n_faults - c.faults.size()));
  flush();
}

ExitStatus print_score(const Options& o, const MutationScore& s, double seconds) {
  const bool good = s.n_caught == s.n_injected;
  if (o.json) {
    Json equivalents = Json::array();
    for (const auto& e : s.equivalents) equivalents.push_back({{"name", e.name}, {"reason", e.reason}});
    print_json({{"seed", o.seed},
                {"injected", s.n_injected},
                {"caught", s.n_caught},
                {"survivors", s.survivors},
                {"equivalents", equivalents},
                {"skipped", s.skipped},
                {"seconds", seconds}});
    return good ? kDone : kFaultFound;
  }
  print_text(fmt::format("seed {}\n", o.seed));
  for (const std::string& name : s.skipped) print_text("skipped     " + name + "\n");
  for (const auto& e : s.equivalents) print_text(fmt::format("equivalent  {}: {}\n", e.name, e.reason));
  for (const std::string& name : s.survivors) print_text("SURVIVES    " + name + "\n");
  print_text(fmt::format("caught {} of {} injected faults ({:.2f} %), {} equivalents not counted, {:.1f} s\n",
                         s.n_caught, s.n_injected,
                         s.n_injected ? 100.0 * double(s.n_caught) / double(s.n_injected) : 100.0,
                         s.equivalents.size(), seconds));
  return good ? kDone : kFaultFound;
}

ExitStatus run(const Options& o) {
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  if (o.mutants) {
    if (!o.model.empty()) throw UsageError("--mutants judges the checks of this machine: give no MODEL");
    std::unique_ptr<ChunkProgress> progress;
    bool stopped = false;
    const MutationScore score = score_mutants(o.seed, [&](size_t done, size_t total) {
      if (!progress) progress = std::make_unique<ChunkProgress>(total);
      stopped = !progress->done(done, "");
      return !stopped;
    });
    progress.reset();
    if (stopped) throw UsageError("stopped before all faults were tried");
    return print_score(o, score, seconds());
  }

  std::unique_ptr<LoadedModel> loaded;
  if (!o.model.empty()) {
    ModelOptions model;
    model.path = o.model;
    model.backend = "exact";
    loaded = load_model(model, false);
  }
  Json checks = Json::array();
  uint64_t n_faults = 0;
  StopOnSignal signal;
  const CheckSink sink = [&](const Check& check) {
    n_faults += check.n_faults;
    if (o.json)
      checks.push_back(json_of(check));
    else
      print_check(check);
    return !signal.stop().load();
  };
  if (!o.json) print_text(fmt::format("seed {}\n", o.seed));
  bool whole = verify_machine(o.seed, sink);
  if (whole && loaded) {
    ThreadPool pool(o.n_threads ? o.n_threads : ThreadPool::default_threads());
    whole = verify_model(loaded->model(), o.seed, pool, sink);
  }
  if (!whole) throw UsageError("stopped before all checks were done");
  if (o.json)
    print_json({{"seed", o.seed}, {"checks", checks}, {"faults", n_faults}, {"seconds", seconds()}});
  else
    print_text(fmt::format("{} in {:.1f} s\n",
                           n_faults == 0 ? "no fault" : fmt::format("{} FAULTS", n_faults), seconds()));
  return n_faults == 0 ? kDone : kFaultFound;
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  o->seed = std::random_device()();
  app.add_option("MODEL", o->model, "GGUF file to verify as well; of a split model its first part");
  app.add_option("-t,--threads", o->n_threads, "Threads for the model's checks (default: the processors)")
      ->check(CLI::Range(1, 1024))
      ->option_text("N");
  app.add_option("--seed", o->seed, "Makes the same inputs again (default: another one each time, printed)")
      ->option_text("N");
  app.add_flag("--mutants", o->mutants,
               "Instead inject every known kernel and decoder fault and count how many are noticed");
  app.add_flag("--json", o->json, "Print the result as JSON");
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_verify{
    "verify", "Check this machine's kernels, and a model file",
    "Example: assay verify\n"
    "         assay verify model.gguf --seed 7\n"
    "         assay verify --mutants\n"
    "Every kernel set, type and shape must equal the scalar model bit for bit; that must stay within a "
    "derived\n"
    "bound of exact arithmetic; decoders must reproduce llama.cpp's golden blocks. Exit status 1: a fault.",
    define};

}  // namespace assay::cli
