// assay diagnose: another engine's output in, a named fault out.
#include <fmt/format.h>

#include <vector>

#include "base/load_error.h"
#include "cli/diagnose_options.h"
#include "cli/finding_output.h"

namespace assay::cli {

#define MODE(name) extern const DiagnoseMode diagnose_mode_##name;
#include "cli/diagnose_modes.inc"
#undef MODE

namespace {

std::vector<const DiagnoseMode*> modes() {
  return {
#define MODE(name) &diagnose_mode_##name,
#include "cli/diagnose_modes.inc"
#undef MODE
  };
}

ExitStatus run(const DiagnoseOptions& o) {
  const DiagnoseMode* chosen = nullptr;
  std::string known;
  for (const DiagnoseMode* mode : modes()) {
    known += (known.empty() ? "" : ", ") + std::string(mode->option);
    if ((o.*mode->value).empty()) continue;
    if (chosen)
      throw UsageError(fmt::format("{} and {}: one kind of dump at a time", chosen->option, mode->option));
    chosen = mode;
  }
  if (!chosen) throw UsageError("nothing to judge: give one of " + known);
  return print_finding(chosen->run(o), o.json);
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<DiagnoseOptions>();
  o->model.kv_type = KvType::f32;
  add_model_options(app, o->model);
  app.add_option("--tokens", o->tokens,
                 "Token ids that the engine made of the prompt: 1,2,3, or a JSON file (- is standard input)");
  app.add_option("--text", o->text, "The prompt");
  app.add_option("--text-file", o->text_file, "The prompt, byte for byte from a file");
  app.add_option("--messages", o->messages, "The conversation: a JSON file with a list of {role, content}");
  app.add_option("--weights", o->weights, "Weights that the engine decoded: .npy or .safetensors");
  app.add_option("--tensor", o->tensor, "Which tensor --weights holds");
  app.add_option("--rows", o->rows, "Which of its rows: A:B, without B")->option_text("A:B");
  app.add_option("--trace", o->trace,
                 "Intermediates that the engine dumped: .safetensors (docs/trace-format.md)");
  app.add_option("--logits", o->logits,
                 "Logits that the engine gave for --ids: .npy, (n_tokens, vocabulary) or the last row");
  app.add_option("--ids", o->ids, "Token ids that the engine ran, separated by commas");
  app.add_option("--endpoint", o->endpoint, "URL of a running engine (OpenAI's API with logprobs)");
  app.add_option("--endpoint-model", o->endpoint_model, "Model name to ask the endpoint for");
  app.add_option("--without", o->without,
                 "Leave this fault out of the list: what would be said if it were not known")
      ->option_text("FAULT");
  app.add_flag("--json", o->json, "Print the finding as JSON");
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_diagnose{
    "diagnose", "Name the fault in another engine's output",
    "Example: assay diagnose model.gguf --weights dump.npy --tensor blk.0.attn_q.weight\n"
    "         assay diagnose model.gguf --tokens 1,450,29871 --text \"Once\"\n"
    "         assay diagnose model.gguf --trace dump.safetensors\n"
    "         assay diagnose model.gguf --logits logits.npy --ids 1,450,4996,...\n"
    "Give --logits and --trace 24 varied token ids or more: with fewer, windows, caches, slow rotations and\n"
    "positions look alike. A trace says more than logits, and needs less time.\n"
    "Exit status 1: a fault was found.",
    define};

}  // namespace assay::cli
