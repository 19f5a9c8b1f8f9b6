#include "runtime/backend.h"

#include <array>

#include "base/load_error.h"
#include "cpu/ops_cpu.h"
#include "exact/ops_exact.h"
#include "twin/ops_twin.h"

namespace assay {
namespace {

constexpr std::array kBackends{
    Backend{"cpu", "the fast one: vector kernels on all threads",
            [](const BackendContext& c) {
              return make_cpu_ops(c.pool, {nullptr, c.release});
            }},
    Backend{"twin", "scalar model of the fast arithmetic, which every fast kernel must equal",
            [](const BackendContext& c) { return make_twin_ops(c.pool); }},
    Backend{"exact", "f64 arithmetic on the decoded weights: slow, the truth about a file",
            [](const BackendContext& c) { return make_exact_ops(c.pool); }},
};

}  // namespace

std::span<const Backend> backends() noexcept {
  return kBackends;
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
