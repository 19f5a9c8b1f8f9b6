// assay diagnose --logits: which fault explains an engine's logits.
#include <fmt/format.h>

#include <optional>

#include "cli/chunk_progress.h"
#include "cli/diagnose_options.h"
#include "cli/input.h"
#include "diagnose/dumps/dump.h"
#include "diagnose/logit_diagnosis.h"

namespace assay::cli {
namespace {

/// The dump's rows: the last of them belongs to the last id.
std::vector<ObservedRow> read_rows(const Dump& dump, size_t n_ids, size_t n_vocab) {
  const DumpTensor& tensor = dump.need("logits");
  if (tensor.n_values == 0 || tensor.n_values % n_vocab != 0)
    throw UsageError(fmt::format("{}: shape {} is no whole number of rows of {} logits", dump.path(),
                                 shape_text(tensor.shape), n_vocab));
  const size_t n_rows = size_t(tensor.n_values) / n_vocab;
  if (n_rows > n_ids)
    throw UsageError(fmt::format("{}: {} rows of logits for {} ids", dump.path(), n_rows, n_ids));
  std::vector<ObservedRow> rows(n_rows);
  for (size_t i = 0; i < n_rows; ++i) {
    rows[i].position = n_ids - n_rows + i;
    rows[i].values.resize(n_vocab);
    rows[i].rounding = dump_type_rounding(tensor.type);
    tensor.read(i * n_vocab, std::span(rows[i].values));
  }
  return rows;
}

Finding run(const DiagnoseOptions& o) {
  const std::unique_ptr<LoadedModel> loaded = load_model(o.model, o.ids.empty());
  const Model& model = loaded->model();
  const size_t n_vocab = model.hparams().vocab_size;
  if (o.ids.empty() && !o.text) throw UsageError("--logits needs --ids, or the --text that the engine ran");
  const std::vector<int32_t> ids =
      o.ids.empty() ? loaded->tokenizer().encode(*o.text) : parse_token_ids(o.ids, n_vocab);
  const ObservedRun seen{ids, read_rows(Dump::open(o.logits), ids.size(), n_vocab)};
  ThreadPool pool(o.model.n_threads ? o.model.n_threads : ThreadPool::default_threads());
  std::optional<ChunkProgress> progress;
  LogitDiagnosisOptions options;
  options.hidden = o.hidden();
  options.progress = [&](size_t n_done, size_t n_all) {
    if (!progress) progress.emplace(n_all);
    return progress->done(n_done, "faults tried");
  };
  return diagnose_logits(model, pool, {&seen, 1}, options);
}

}  // namespace

extern const DiagnoseMode diagnose_mode_logits{"--logits", &DiagnoseOptions::logits, run};

}  // namespace assay::cli
