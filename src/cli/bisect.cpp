// assay bisect: the first operation that two sides do differently.
#include "diagnose/bisect/bisect.h"

#include <fmt/ranges.h>

#include <memory>

#include "cli/inject.h"
#include "cli/input.h"
#include "cli/json_output.h"
#include "cli/model_options.h"
#include "cli/terminal.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string a, b, tokens, prompt, save;
  std::vector<std::string> inject;
  KvType kv_type = KvType::f32;
  size_t n_threads = 0;
  bool json = false;
};

/// FILE[@BACKEND].
struct Side {
  std::string path, backend;
  bool is_dump() const { return path.ends_with(".safetensors") || path.ends_with(".npy"); }
};
Side parse_side(const std::string& text) {
  const size_t at = text.rfind('@');
  if (at == std::string::npos || std::filesystem::exists(text)) return {text, {}};
  return {text.substr(0, at), std::string(need_backend(text.substr(at + 1)).name)};
}

std::unique_ptr<LoadedModel> load(const Side& side, bool with_tokenizer) {
  ModelOptions model;
  model.path = side.path;
  model.backend = "exact";  // for the file alone: evaluators are made here
  return load_model(model, with_tokenizer);
}

std::vector<int32_t> ids_of(const Options& o, const LoadedModel& loaded, const Dump* dump) {
  const size_t vocab_size = loaded.model().hparams().vocab_size;
  if (!o.tokens.empty()) return parse_token_ids(o.tokens, vocab_size);
  if (!o.prompt.empty()) return loaded.tokenizer().encode(o.prompt);
  if (dump && dump->metadata().count("tokens"))
    return parse_token_ids(dump->metadata().at("tokens"), vocab_size);
  throw UsageError("--tokens or --prompt: on what input?");
}

struct Outcome {
  BisectReport report;
  std::string compared;
};

Outcome compare_backends(const Options& o, const Side& a, const Side& b, const Model& model, ThreadPool& pool,
                         std::span<const int32_t> ids) {
  const auto make = [&](const std::string& name) {
    std::unique_ptr<Ops> ops = need_backend(name).make({pool, {}});
    ops->load(model.product_weights(), {});
    return ops;
  };
  if (!o.inject.empty()) {
    FaultyEngine faulty(model, pool, need_faults(o.inject));
    if (!faulty.applies()) fail_untouched(o.inject, a.path);
    const std::unique_ptr<Ops> healthy = make("exact");
    return {bisect_evaluators(model, *healthy, faulty.ops(), false, kF64Arithmetic, ids, o.kv_type),
            fmt::format("exact against exact with {}", fmt::join(o.inject, " and "))};
  }
  const std::string first = a.backend.empty() ? std::string(backends().front().name) : a.backend;
  const std::string second = b.backend.empty() ? std::string(backends().front().name) : b.backend;
  if (first == second)
    throw UsageError("one file on one backend: nothing to compare; name two, as FILE@BACKEND");
  const bool exact = first == "exact" || second == "exact";
  const std::unique_ptr<Ops> fast = make(first == "exact" ? second : first),
                             other = make(first == "exact" ? first : second);
  // Without exact both are of the f32 arithmetic that has one right answer.
  const Arithmetic arithmetic = exact ? kF32Arithmetic : Arithmetic{0, true};
  return {bisect_evaluators(model, *fast, *other, exact, arithmetic, ids, o.kv_type),
          fmt::format("{} against {}", fast->name(), other->name())};
}

Json json_of(const Divergence& d) {
  return {{"op", d.op},
          {"name", d.name},
          {"layer", d.layer},
          {"weight", d.weight},
          {"where", d.where},
          {"pattern", d.pattern.content_text()},
          {"tokens", d.pattern.tokens},
          {"heads", d.pattern.heads},
          {"n_wrong", d.pattern.n_wrong},
          {"token", d.worst.row},
          {"column", d.worst.col},
          {"first", d.worst.first},
          {"second", d.worst.second},
          {"allowed", d.worst.bound},
          {"note", d.note}};
}

ExitStatus print(const Options& o, const Outcome& outcome, std::span<const int32_t> ids) {
  const BisectReport& r = outcome.report;
  if (r.first && !o.save.empty()) save_divergence(*r.first, ids, o.save);
  if (o.json) {
    print_json({{"compared", outcome.compared},
                {"tokens", std::vector<int32_t>(ids.begin(), ids.end())},
                {"operations", r.n_operations},
                {"diverging", r.n_diverging},
                {"first", r.first ? json_of(*r.first) : Json()},
                {"later", r.later},
                {"notes", r.notes}});
    return r.first ? kFaultFound : kDone;
  }
  print_text(fmt::format("{}, {} tokens, {} operations\n", outcome.compared, ids.size(), r.n_operations));
  for (const std::string& note : r.notes) print_text("  note     " + note + "\n");
  if (!r.first) {
    print_text("no operation leaves its bound\n");
    return kDone;
  }
  const Divergence& d = *r.first;
  print_text(fmt::format("first operation that leaves its bound: {} {}\n", d.op, d.name));
  if (d.layer >= 0) print_text(fmt::format("  layer    {}\n", d.layer));
  if (!d.weight.empty()) print_text(fmt::format("  weight   {}\n", d.weight));
  print_text(fmt::format("  where    {}\n", d.where));
  print_text(fmt::format("  worst    token {} column {}: {:.9g} against {:.9g}, allowed difference {:.3g}\n",
                         d.worst.row, d.worst.col, d.worst.first, d.worst.second, d.worst.bound));
  if (!d.note.empty()) print_text("  note     " + d.note + "\n");
  if (!r.later.empty()) {
    std::string names;
    for (const std::string& name : r.later) names += (names.empty() ? "" : ", ") + name;
    print_text(fmt::format("  {} more with right inputs: {}{}\n", r.n_diverging - 1, names,
                           r.later.size() + 1 < r.n_diverging ? ", ..." : ""));
  }
  if (!o.save.empty()) print_text(fmt::format("  saved    {}/inputs.safetensors\n", o.save));
  return kFaultFound;
}

ExitStatus run(const Options& o) {
  const Side a = parse_side(o.a), b = o.b.empty() ? parse_side(o.a) : parse_side(o.b);
  if (o.b.empty() && o.inject.empty()) throw UsageError("B: against what? (or --inject FAULT)");
  if (!o.inject.empty() && !o.b.empty()) throw UsageError("--inject makes the other side: give no B");
  if (a.is_dump()) throw UsageError(a.path + ": the dump goes second");
  const std::unique_ptr<LoadedModel> loaded = load(a, !o.prompt.empty());
  const Model& model = loaded->model();
  ThreadPool pool(o.n_threads ? o.n_threads : ThreadPool::default_threads());
  std::optional<Dump> dump;
  if (b.is_dump()) dump = Dump::open(b.path);
  const std::vector<int32_t> ids = ids_of(o, *loaded, dump ? &*dump : nullptr);
  if (ids.empty()) throw UsageError("--prompt: has no tokens");

  if (dump)
    return print(o, {bisect_trace(model, *dump, pool, ids, o.kv_type), "the dump against exact"}, ids);
  std::error_code error;
  if (o.b.empty() || std::filesystem::equivalent(a.path, b.path, error))
    return print(o, compare_backends(o, a, b, model, pool, ids), ids);
  if (a.backend + b.backend != "" && a.backend + b.backend != "exactexact")
    throw UsageError("two files are compared on the exact backend: give none, or one file with two");
  const std::unique_ptr<LoadedModel> other = load(b, false);
  for (const int32_t id : ids)
    if (size_t(id) >= other->model().hparams().vocab_size)
      throw UsageError(fmt::format("{}: has no token {}", b.path, id));
  return print(o, {bisect_files(model, other->model(), pool, ids, o.kv_type), "exact on both files"}, ids);
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  app.add_option("A", o->a, "FILE.gguf or FILE.gguf@BACKEND")->required();
  app.add_option("B", o->b, "The same, or a dump: FILE.safetensors with the names of `assay trace`");
  app.add_option("--tokens", o->tokens, "Token ids, separated by commas (default for a dump: its own)")
      ->option_text("IDS");
  app.add_option("--prompt", o->prompt, "Text instead of ids");
  add_inject_option(app, o->inject, "Instead of B: A on `exact` with these faults in it");
  app.add_option("--save", o->save,
                 "Write inputs and both results of the first divergence to DIR/inputs.safetensors")
      ->option_text("DIR");
  app.add_option("-t,--threads", o->n_threads, "Threads (default: the processors)")
      ->check(CLI::Range(1, 1024))
      ->option_text("N");
  add_kv_option(app, o->kv_type);
  app.add_flag("--json", o->json, "Print the result as JSON");
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_bisect{
    "bisect", "Find the first operation that two backends, files or engines do differently",
    "Example: assay bisect model.gguf@cpu model.gguf@exact --prompt \"Once upon a time\"\n"
    "         assay bisect model-f16.gguf model-q4_k_m.gguf --tokens 1,450,4996\n"
    "         assay bisect model.gguf dump.safetensors --save replay\n"
    "Both sides get the same inputs in every operation, so the first one that differs is the one at fault.\n"
    "Exit status 1: an operation left its bound.",
    define};

}  // namespace assay::cli
