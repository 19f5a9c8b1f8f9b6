// The evaluators by name. backend.cpp is the only file that names them.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/thread_pool.h"
#include "ops/ops.h"

namespace assay {

/// What an evaluator is given. All of it outlives the Ops.
struct BackendContext {
  ThreadPool& pool;
  /// Copies bytes [at, at + out.size()) of a weight, for a backend that keeps its own form of them; any
  /// number of threads may. Throws LoadError, MachineError. Null: they are taken from Weight::bytes.
  ReadWeight read;
};

struct Backend {
  std::string_view name;
  std::string_view summary;
  std::unique_ptr<Ops> (*make)(const BackendContext& context);
};

/// Those that every machine has and that checks compare with one another; the first is the default.
std::span<const Backend> backends() noexcept;
/// Also those with an arithmetic of their own (cpu-bf16 and its twin), which backends() leaves out. Throws
/// UsageError naming all there are.
const Backend& need_backend(std::string_view name);
/// All that need_backend knows: "cpu, twin, exact, ..."
std::string backend_names();

}  // namespace assay
