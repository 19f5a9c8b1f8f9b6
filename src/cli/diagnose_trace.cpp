// assay diagnose --trace: which operation went wrong, and by which fault.
#include "cli/chunk_progress.h"
#include "cli/diagnose_options.h"
#include "cli/input.h"
#include "diagnose/replay/trace_diagnosis.h"

namespace assay::cli {
namespace {

Finding run(const DiagnoseOptions& o) {
  const Dump dump = Dump::open(o.trace);
  const Model model(GgufFile::open(o.model.path));
  std::string list = o.ids;
  if (list.empty()) {
    const auto found = dump.metadata().find("tokens");
    if (found == dump.metadata().end())
      throw UsageError(dump.path() +
                       " has no \"tokens\" in its metadata: say with --ids which ones the engine ran");
    list = found->second;
  }
  const std::vector<int32_t> ids = parse_token_ids(list, model.hparams().vocab_size);
  ThreadPool pool(o.model.n_threads ? o.model.n_threads : ThreadPool::default_threads());
  std::optional<ChunkProgress> progress;
  TraceDiagnosisOptions options;
  options.hidden = o.hidden();
  options.progress = [&](size_t n_done, size_t n_all) {
    if (!progress) progress.emplace(n_all);
    return progress->done(n_done, "faults tried");
  };
  return diagnose_trace(model, pool, ids, ForeignTrace(dump), options);
}

}  // namespace

extern const DiagnoseMode diagnose_mode_trace{"--trace", &DiagnoseOptions::trace, run};

}  // namespace assay::cli
