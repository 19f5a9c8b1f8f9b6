// assay compare: files and engines beside an anchor, each with a calibrated verdict.
#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "base/atomic_file.h"
#include "cli/chunk_progress.h"
#include "cli/command.h"
#include "cli/compare_output.h"
#include "cli/inject.h"
#include "cli/input.h"
#include "diagnose/compare/compare.h"
#include "diagnose/report/compare_report.h"
#include "quantize/quantizer.h"
#include "runtime/backend.h"

namespace assay::cli {
namespace {

struct Options {
  std::vector<std::string> files, faults;
  std::string anchor, prompt, text, report;
  std::vector<std::string> backends{"exact"};
  size_t n_tokens = 256, n_draws = 12, n_greedy = 24, n_threads = 0;
  uint64_t seed = 1;
  bool has_prompt = false, json = false;
};

ExitStatus run(const Options& o) {
  CompareOptions options;
  options.files.assign(o.files.begin(), o.files.end());
  options.anchor = o.anchor;
  options.backends = o.backends;
  if (o.has_prompt) options.prompt = o.prompt;
  if (!o.text.empty()) options.text = read_text(o.text);
  options.n_tokens = o.n_tokens;
  options.seed = o.seed;
  options.n_threads = o.n_threads;
  options.n_draws = o.n_draws;
  options.n_greedy = o.n_greedy;
  options.faults = need_faults(o.faults);
  Comparison comparison;
  try {
    std::optional<ChunkProgress> progress;
    options.progress = [&](size_t done, size_t total, std::string_view what) {
      if (!progress) progress.emplace(total, 0, "step");
      return progress->done(done, printable(what, 60));
    };
    comparison = compare(options);
  } catch (const Stopped&) {
    throw UsageError("stopped: nothing was judged");
  }
  if (!o.report.empty()) {
    AtomicFile file(o.report);
    file.write(compare_report(comparison));
    file.commit();
  }
  if (o.json)
    print_json(json_of(comparison));
  else
    print_comparison(comparison);
  return comparison.has_fault() ? kFaultFound : kDone;
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  app.add_option("MODEL", o->files, "GGUF files: one model, stored in different ways")
      ->required()
      ->expected(1, 64);
  app.add_option("--anchor", o->anchor,
                 "What the files are held against (default: that of them with most bits a weight)")
      ->option_text("FILE");
  app.add_option_function<std::string>(
         "-p,--prompt",
         [o](const std::string& text) {
           o->prompt = text;
           o->has_prompt = true;
         },
         "Run this text")
      ->option_text("TEXT");
  app.add_option("--text", o->text,
                 "Run the first tokens of this file; neither: a text that the anchor makes up")
      ->option_text("FILE")
      ->excludes("--prompt");
  app.add_option("-n,--tokens", o->n_tokens, "Tokens of the text")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str()
      ->option_text("N");
  app.add_option("--backend", o->backends,
                 "Evaluators, a row each a file: " + backend_names() + " (default: exact)")
      ->delimiter(',')
      ->option_text("NAME,...");
  add_inject_option(app, o->faults, "Run the rows as an engine with these faults would");
  app.add_option("--draws", o->n_draws, "Draws of each null distribution")
      ->check(CLI::Range(4, 1000))
      ->capture_default_str()
      ->option_text("N");
  app.add_option("--greedy", o->n_greedy, "Tokens that each row continues the text by")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str()
      ->option_text("N");
  app.add_option("--seed", o->seed, "Of the text and the draws")->capture_default_str()->option_text("N");
  app.add_option("-t,--threads", o->n_threads, "Threads (default: the processors)")
      ->check(CLI::Range(1, 1024))
      ->option_text("N");
  app.add_option("--report", o->report, "Write the comparison as one HTML page")->option_text("FILE");
  app.add_flag("--json", o->json, "Print the comparison as JSON");
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_compare{
    "compare",
    "Hold quantized files and engines against an anchor: ok, expected noise, fault, or not enough data",
    "Example: assay compare model-f16.gguf model-q8_0.gguf model-q4_k_m.gguf --report compare.html\n"
    "         assay compare model-q4_k_m.gguf --anchor model-f16.gguf --backend exact,cpu\n"
    "The noise that each file's types must make is drawn from the anchor's own weights; the verdict says "
    "where the\n"
    "file falls in it. Exit status 1: some row is at fault.",
    define};

}  // namespace assay::cli
