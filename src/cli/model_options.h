// The options that commands which run a model share.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "cli/command.h"
#include "runtime/loaded_model.h"
#include "runtime/session.h"

namespace assay::cli {

struct ModelOptions {
  std::string path, backend;
  size_t n_threads = 0, n_batch = 256;
  KvType kv_type = KvType::f16;
};

void add_kv_option(CLI::App& app, KvType& type);

/// MODEL, -t, --backend, --batch, --kv.
void add_model_options(CLI::App& app, ModelOptions& options);

/// The model, with a progress bar on standard error where that is a terminal and loading takes a while, and
/// the file's warnings there. Throws as LoadedModel.
std::unique_ptr<LoadedModel> load_model(const ModelOptions& options, bool with_tokenizer);

}  // namespace assay::cli
