#include "runtime/backend.h"

#include <array>

#include "base/load_error.h"
#include "cpu/ops_cpu.h"
#include "exact/ops_exact.h"
#include "twin/ops_twin.h"

namespace assay {
namespace {

// The first kSameArithmetic are backends(); the others answer to their names only.
constexpr size_t kSameArithmetic = 3;
constexpr std::array kBackends{
    Backend{"cpu", "the fast one: vector kernels on all threads",
            [](const BackendContext& c) {
              return make_cpu_ops(c.pool, {nullptr, c.read});
            }},
    Backend{"twin", "scalar model of the fast arithmetic, which every fast kernel must equal",
            [](const BackendContext& c) { return make_twin_ops(c.pool); }},
    Backend{"exact", "f64 arithmetic on the decoded weights: slow, the truth about a file",
            [](const BackendContext& c) { return make_exact_ops(c.pool); }},
    Backend{
        "cpu-bf16", "cpu, but BF16 weights by the processor's BF16 dot: faster, activations rounded to bf16",
        [](const BackendContext& c) {
          const cpu::KernelSet* const kernels = cpu::bf16_kernel_set();
          if (!kernels)
            throw MachineError("cpu-bf16: this processor has no BF16 dot as docs/arithmetic.md specifies it");
          return make_cpu_ops(c.pool, {kernels, c.read});
        }},
    Backend{"twin-bf16", "scalar model of cpu-bf16",
            [](const BackendContext& c) { return make_bf16_twin_ops(c.pool); }},
};

}  // namespace

std::span<const Backend> backends() noexcept {
  return std::span(kBackends).first(kSameArithmetic);
}

const Backend& need_backend(std::string_view name) {
  for (const Backend& backend : kBackends)
    if (backend.name == name) return backend;
  throw UsageError("\"" + printable(name) + "\" is not a backend; there are " + backend_names());
}

std::string backend_names() {
  std::string names;
  for (const Backend& backend : kBackends) names += (names.empty() ? "" : ", ") + std::string(backend.name);
  return names;
}

}  // namespace assay
