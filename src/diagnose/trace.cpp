#include "diagnose/trace.h"

#include <map>

#include "ops/trace_ops.h"
#include "runtime/session.h"

namespace assay {

std::vector<NamedTensor> trace_tokens(const Model& model, Ops& ops, std::span<const int32_t> ids,
                                      KvType kv_type) {
  std::vector<NamedTensor> tensors;
  std::vector<const char*> kinds;
  TraceOps trace(ops, [&](TraceRecord&& r) {
    tensors.push_back({std::move(r.name), std::move(r.shape), {r.values.begin(), r.values.end()}});
    kinds.push_back(r.op);
  });
  Session session(
      model, trace,
      {.n_ctx = ids.size(), .n_batch = ids.size(), .n_logit_rows = ids.size(), .kv_type = kv_type});
  session.prefill(ids, [](size_t, std::span<const float>, std::span<const float>) {});
  if (trace.failure()) std::rethrow_exception(trace.failure());

  std::map<std::string, size_t> n_with_name, n_with_kind;
  for (const NamedTensor& tensor : tensors) ++n_with_name[tensor.name];
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (n_with_name[tensors[i].name] == 1) continue;
    std::string& name = tensors[i].name;
    name.append(":").append(kinds[i]);
    if (const size_t n = ++n_with_kind[name]; n > 1) name.append(":").append(std::to_string(n));
  }
  return tensors;
}

}  // namespace assay
