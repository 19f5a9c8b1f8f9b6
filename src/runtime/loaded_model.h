// A model file made ready to run: bound weights, an evaluator holding them, the tokenizer.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "model/model.h"
#include "runtime/backend.h"
#include "tokenizer/tokenizer.h"

namespace assay {

struct LoadOptions {
  std::string backend;         // empty: the default
  size_t n_threads = 0;        // 0: the processors this process may use
  bool with_tokenizer = true;  // without, a file needs no vocabulary
  Ops::Progress progress;      // bytes of weights made ready and in all; may be empty
};

/// Sessions refer to it, so it does not move. model() and tokenizer() may be read by any thread.
class LoadedModel {
 public:
  /// Throws LoadError, UsageError (no such file, backend, or thread count), MachineError.
  LoadedModel(const std::filesystem::path& path, const LoadOptions& options);
  LoadedModel(const LoadedModel&) = delete;
  LoadedModel& operator=(const LoadedModel&) = delete;

  const Model& model() const { return model_; }
  Ops& ops() { return *ops_; }
  /// Only when loaded with_tokenizer.
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  size_t n_threads() const { return pool_.n_threads(); }
  /// What a user should be told about the file: of its tensors, keys and tokenizer. One sentence each.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  // In order of dependence: what is below refers to what is above.
  ThreadPool pool_;
  Model model_;
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::vector<std::string> warnings_;
};

}  // namespace assay
