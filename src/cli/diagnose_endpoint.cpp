// assay diagnose --endpoint: a running engine, over HTTP.
#include "diagnose/endpoint/diagnose_endpoint.h"

#include "cli/diagnose_options.h"
#include "cli/status_line.h"
#include "cli/terminal.h"

namespace assay::cli {
namespace {

Finding run(const DiagnoseOptions& o) {
  StopOnSignal signal;
  Endpoint endpoint(o.endpoint, o.endpoint_model, &signal.stop());
  const std::unique_ptr<LoadedModel> loaded = load_model(o.model, true);
  ThreadPool pool(loaded->n_threads());
  StatusLine status;
  return diagnose_endpoint(
      {endpoint, loaded->model(), loaded->tokenizer(), loaded->ops(), pool, [&](const std::string& doing) {
         if (signal.stop()) throw MachineError("stopped");
         status.show(doing);
       }});
}

}  // namespace

extern const DiagnoseMode diagnose_mode_endpoint{"--endpoint", &DiagnoseOptions::endpoint, run};

}  // namespace assay::cli
