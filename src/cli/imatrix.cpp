// assay imatrix: how strongly a text drives each column of each weight.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "cli/chunk_progress.h"
#include "cli/input.h"
#include "cli/json_output.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "judge/importance.h"

namespace assay::cli {
namespace {

struct Options {
  ModelOptions model;
  std::string text, output;
  std::vector<std::string> merge;
  size_t n_ctx = 512, n_chunks = SIZE_MAX, save_every = 0;
  bool with_output = false, resume = false, json = false;
};

/// What an interrupted run of the same text left in the output file.
Imatrix left_behind(const Options& o, const std::string& dataset) {
  Imatrix left = read_imatrix(o.output);
  if (left.chunk_size != o.n_ctx || left.datasets != std::vector<std::string>{dataset})
    throw UsageError(printable(o.output, 1000) + ": is not what a run of this text in chunks of " +
                     std::to_string(o.n_ctx) + " left; without --resume it is written anew");
  return left;
}

/// Runs the text; false when the user stopped it.
bool collect(const Options& o, Imatrix& into) {
  const std::unique_ptr<LoadedModel> loaded = load_model(o.model, true);
  const ScoredText text = cut_text(loaded->tokenizer(), read_text(o.text), o.n_ctx, o.n_chunks);
  const std::string dataset =
      o.text == "-" ? "standard input" : std::filesystem::path(o.text).filename().string();
  if (o.resume && std::filesystem::exists(o.output)) into = left_behind(o, dataset);
  into.datasets = {dataset};
  into.chunk_size = uint32_t(o.n_ctx);
  const size_t first = into.chunk_count;
  if (first > text.n_chunks)
    throw UsageError(printable(o.output, 1000) + ": has " + std::to_string(first) +
                     " chunks already, the text " + std::to_string(text.n_chunks));
  bool whole = true;
  ChunkProgress progress(text.n_chunks, first);
  collect_importance(*loaded, text, first, {o.with_output, o.model.n_batch}, into, [&](size_t chunk) {
    if (o.save_every != 0 && (chunk + 1) % o.save_every == 0) write_imatrix(o.output, into);
    whole = progress.done(chunk + 1, "");
    return whole;
  });
  return whole || into.chunk_count == text.n_chunks;
}

ExitStatus run(const Options& o) {
  if (o.text.empty() && o.merge.empty())
    throw UsageError("nothing to do: give MODEL and TEXT, or files to merge with --in-file");
  if (o.text.empty() && !o.model.path.empty())
    throw UsageError("TEXT is missing: name a text file, or - for standard input");
  std::vector<Imatrix> parts;
  for (const std::string& path : o.merge) parts.push_back(read_imatrix(path));
  Imatrix sum;
  bool whole = true;
  if (!o.text.empty()) {
    whole = collect(o, sum);
  } else {
    sum = parts.front();
    parts.erase(parts.begin());
  }
  if (whole)  // what is left for --resume is the text's alone
    for (const Imatrix& part : parts) merge(sum, part);
  write_imatrix(o.output, sum);
  size_t n_unseen = 0;
  for (const auto& entry : sum.entries)
    n_unseen += size_t(std::count(entry.second.counts.begin(), entry.second.counts.end(), 0u));
  if (!whole)
    notice(fmt::format("stopped after {} chunks, which are saved: --resume goes on", sum.chunk_count));
  if (n_unseen != 0)
    notice(fmt::format("warning: {} experts were never chosen; a longer text may reach them", n_unseen));
  if (o.json)
    print_json({{"output", o.output},
                {"entries", sum.entries.size()},
                {"chunks", sum.chunk_count},
                {"chunk_size", sum.chunk_size},
                {"datasets", sum.datasets},
                {"unseen_experts", n_unseen}});
  else
    print_text(fmt::format("{}: {} weights, {} chunks of {} tokens\n", o.output, sum.entries.size(),
                           sum.chunk_count, sum.chunk_size));
  return kDone;
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  add_model_options(app, o->model);
  app.remove_option(app.get_option("--kv"));
  app.get_option("MODEL")->required(false);
  app.add_option("TEXT", o->text, "Text file; - is standard input");
  app.add_option("-o,--output", o->output, "File to write")->required();
  app.add_option("-c,--ctx-size", o->n_ctx, "Tokens a chunk")
      ->check(CLI::Range(4, 1 << 24))
      ->capture_default_str()
      ->option_text("N");
  app.add_option("--chunks", o->n_chunks, "Chunks at most (default: the whole text)")
      ->check(CLI::Range(1, 1 << 24))
      ->option_text("N");
  app.add_flag("--process-output", o->with_output, "Collect for output.weight too");
  app.add_option("--in-file", o->merge, "Add what this file holds; may be repeated")
      ->option_text("FILE")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app.add_option("--save-every", o->save_every, "Write the output after every N chunks as well")
      ->check(CLI::Range(1, 1 << 24))
      ->option_text("N");
  app.add_flag("--resume", o->resume, "Go on where the output file ends");
  app.add_flag("--json", o->json, "Print a summary as JSON");
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_imatrix{
    "imatrix", "Measure which columns of the weights a text uses most",
    "Example: assay imatrix model-f16.gguf text.txt -o model.imatrix.gguf --save-every 50\n"
    "         assay imatrix --in-file a.gguf --in-file b.gguf -o both.gguf\n"
    "The file is for assay quantize --imatrix and for llama.cpp's quantizer, whose files are read too.",
    define};

}  // namespace assay::cli
