// assay trace: every named intermediate of a forward pass, as a safetensors file.
#include "diagnose/trace.h"

#include <memory>

#include "cli/inject.h"
#include "cli/input.h"
#include "cli/json_output.h"
#include "cli/model_options.h"

namespace assay::cli {
namespace {

struct Options {
  ModelOptions model;
  std::string tokens, output;
  std::vector<std::string> inject;
  bool json = false;
};

ExitStatus run(const Options& o) {
  const std::unique_ptr<LoadedModel> loaded = load_model(o.model, false);
  const std::vector<int32_t> ids = parse_token_ids(o.tokens, loaded->model().hparams().vocab_size);
  std::optional<InjectedFaults> injected;
  if (!o.inject.empty()) injected.emplace(loaded->model(), o.inject, o.model.n_threads);
  const std::vector<NamedTensor> tensors = trace_tokens(
      loaded->model(), injected ? injected->engine().ops() : loaded->ops(), ids, o.model.kv_type);
  std::string id_list;
  for (const int32_t id : ids) id_list += (id_list.empty() ? "" : ",") + std::to_string(id);
  const std::pair<std::string, std::string> metadata[] = {{"tokens", id_list},
                                                          {"backend", std::string(loaded->ops().name())},
                                                          {"architecture", loaded->model().hparams().arch}};
  write_safetensors(o.output, tensors, metadata);
  if (o.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const NamedTensor& tensor : tensors)
      list.push_back({{"name", tensor.name}, {"shape", tensor.shape}});
    print_json({{"output", o.output}, {"tokens", ids}, {"tensors", list}});
  }
  return kDone;
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  o->model.kv_type = KvType::f32;
  add_model_options(app, o->model);
  app.remove_option(app.get_option("--batch"));  // one batch, so that every name occurs once
  app.add_option("--tokens", o->tokens, "Token ids, separated by commas")->required();
  app.add_option("-o,--output", o->output, "Safetensors file, F32, in order of execution")->required();
  add_inject_option(app, o->inject, "Run on `exact` with these faults in it");
  app.add_flag("--json", o->json, "Print the names and shapes");
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_trace{
    "trace", "Write every named intermediate of a forward pass",
    "Example: assay trace model.gguf --tokens 1,450,4996 --backend exact --output trace.safetensors\n"
    "Names are llama.cpp's (attn_norm-0, l_out-0, result_output). A name that several operations share has "
    "each one's\n"
    "kind behind it: Qcur-0:MUL_MAT, Qcur-0:ROPE.",
    define};

}  // namespace assay::cli
