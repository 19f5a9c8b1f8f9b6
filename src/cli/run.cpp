// assay run: continues a prompt.
#include <memory>
#include <optional>

#include "cli/command.h"
#include "cli/generation_options.h"
#include "cli/input.h"
#include "cli/terminal.h"

namespace assay::cli {
namespace {

struct Options {
  GenerationOptions generation;
  std::optional<std::string> prompt;
  std::string file;
  bool no_echo = false;
};

/// A file's last newline belongs to the file, not to the prompt.
std::string prompt_text(const Options& o) {
  if (o.prompt && !o.file.empty()) throw UsageError("give PROMPT or --file, not both");
  if (o.prompt) return *o.prompt;
  if (o.file.empty() && input_is_terminal()) throw UsageError("give PROMPT, --file, or pipe the prompt in");
  std::string text = read_text(o.file.empty() ? "-" : o.file);
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

ExitStatus run(const Options& o) {
  const Clock::time_point begin = Clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  const std::string prompt = prompt_text(o);
  const std::unique_ptr<LoadedModel> loaded = load_model(o.generation.model, true);
  const Tokenizer& tokenizer = loaded->tokenizer();
  Timings timings;
  timings.load_seconds = seconds();

  Session session = make_session(*loaded, o.generation);
  Sampler sampler = make_sampler(tokenizer, o.generation);
  // An EOS behind the prompt, which some files ask for, would end the text that is to be continued.
  const std::vector<int32_t> ids =
      tokenizer.encode(prompt, {.add_bos = {}, .add_eos = false, .parse_special = true});
  GenerateOptions options;
  options.n_predict = o.generation.n_predict.value_or(SIZE_MAX);
  options.stop_strings = o.generation.stop_strings;
  options.render_special = o.generation.render_special;
  options.drop_space = prompt.empty();
  const Speculation speculation = make_speculation(tokenizer, o.generation, session.n_ctx());
  options.drafter = speculation.drafter.get();
  options.n_draft = o.generation.n_draft;
  StopOnSignal signal;
  options.cancel = &signal.stop();

  check_prompt(session, ids);
  if (!o.no_echo) print_text(prompt);
  flush();
  char last = prompt.empty() || o.no_echo ? '\n' : prompt.back();
  const GenerateResult result =
      generate(session, tokenizer, sampler, ids, options, [&](std::string_view text) {
        if (timings.first_text_seconds == 0) timings.first_text_seconds = seconds();
        print_text(text);
        flush();
        last = text.back();
      });
  if (last != '\n') print("\n");
  flush();
  report_end(result, session);
  if (o.generation.stats) print_stats(result, timings, *loaded, session, sampler);
  return kDone;
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  add_generation_options(app, o->generation);
  app.add_option("PROMPT", o->prompt,
                 "Text to continue; without it and --file, standard input when that is piped");
  app.add_option("-f,--file", o->file, "Read the prompt from this file; - is standard input");
  app.add_flag("-q,--no-echo", o->no_echo, "Print only the new text, not the prompt");
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_run{
    "run", "Continue a prompt",
    "Example: assay run model.gguf \"Once upon a time\" -n 100 --temp 0.7 --seed 7\n"
    "         echo \"Once upon a time\" | assay run model.gguf --temp 0 --stats\n"
    "         assay run model.gguf -f notes.txt --lookup\n"
    "Sampling options have llama.cpp's names and defaults. Ctrl-C ends the text; a second one kills the "
    "program.",
    define};

}  // namespace assay::cli
