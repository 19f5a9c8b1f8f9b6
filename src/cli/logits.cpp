// assay logits: raw logits of every position.
#include <array>
#include <memory>

#include "base/atomic_file.h"
#include "cli/inject.h"
#include "cli/input.h"
#include "cli/model_options.h"
#include "diagnose/dumps/npy_writer.h"

namespace assay::cli {
namespace {

struct Options {
  ModelOptions model;
  std::string tokens, output;
  std::vector<std::string> inject;
};

ExitStatus run(const Options& o) {
  const std::unique_ptr<LoadedModel> loaded = load_model(o.model, false);
  const size_t vocab_size = loaded->model().hparams().vocab_size;
  const std::vector<int32_t> ids = parse_token_ids(o.tokens, vocab_size);
  std::optional<InjectedFaults> injected;
  if (!o.inject.empty()) injected.emplace(loaded->model(), o.inject, o.model.n_threads);
  AtomicFile file(o.output);
  const std::string header =
      o.output.ends_with(".npy") ? npy_header(std::array<uint64_t, 2>{ids.size(), vocab_size}) : "";
  file.reserve(header.size() + ids.size() * vocab_size * sizeof(float));
  file.write(std::as_bytes(std::span(header)));
  // Some faults mix rows: those run as one batch, as their descriptions mean it.
  Session session(loaded->model(), injected ? injected->engine().ops() : loaded->ops(),
                  {.n_ctx = ids.size(),
                   .n_batch = injected ? ids.size() : o.model.n_batch,
                   .n_logit_rows = injected ? ids.size() : 16,
                   .kv_type = o.model.kv_type});
  session.prefill(ids, [&](size_t, std::span<const float> logits, std::span<const float>) {
    file.write(std::as_bytes(logits));
  });
  file.commit();
  return kDone;
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  o->model.kv_type = KvType::f32;
  add_model_options(app, o->model);
  app.add_option("--tokens", o->tokens, "Token ids, separated by commas")->required();
  app.add_option("-o,--output", o->output,
                 "File for the logits: little-endian f32, (n_tokens, vocabulary); with a header where the "
                 "name ends in .npy")
      ->required();
  add_inject_option(app, o->inject, "Run on `exact` with these faults in it");
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_logits{
    "logits", "Write the logits of every position of a token sequence",
    "Example: assay logits model.gguf --tokens 1,450,4996 --backend exact --output logits.f32", define};

}  // namespace assay::cli
