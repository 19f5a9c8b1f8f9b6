#include "diagnose/replay/foreign_trace.h"

#include <algorithm>
#include <set>

#include "diagnose/faults/faulty_engine.h"
#include "ops/trace_ops.h"
#include "runtime/session.h"

namespace assay {

ForeignTrace::ForeignTrace(const Dump& dump) {
  for (const DumpTensor& tensor : dump.tensors()) {
    add(tensor.name, {tensor.shape, tensor.f32()});
    rounding_ = std::max(rounding_, dump_type_rounding(tensor.type));
  }
}

TraceAlignment::TraceAlignment(const Model& model, ThreadPool& pool, const ForeignTrace& trace) {
  FaultyEngine healthy(model, pool);
  TraceOps names(healthy.ops(), [&](TraceRecord&& r) { results_.push_back({std::move(r.name), r.op}); });
  Session session(model, names, {.n_ctx = 1, .n_batch = 1, .n_logit_rows = 1, .kv_type = KvType::f32});
  session.step(0);
  if (names.failure()) std::rethrow_exception(names.failure());

  std::map<std::string, size_t> last, n_with_kind;
  for (size_t i = 0; i < results_.size(); ++i) last[results_[i].name] = i;
  std::set<std::string> used;
  for (size_t i = 0; i < results_.size(); ++i) {
    Result& r = results_[i];
    std::string with_kind = r.name + ":" + r.op;
    if (const size_t n = ++n_with_kind[with_kind]; n > 1) with_kind += ":" + std::to_string(n);
    for (const std::string& name : {with_kind, r.name}) {
      if (name == r.name && last[r.name] != i) continue;
      const auto found = trace.tensors().find(name);
      if (found == trace.tensors().end()) continue;
      used.insert(name);
      if (!r.foreign) r.foreign = &found->second;
    }
  }
  for (const auto& [name, tensor] : trace.tensors())
    if (!used.contains(name)) unknown_.push_back(name);
}

size_t TraceAlignment::n_present() const {
  return size_t(
      std::count_if(results_.begin(), results_.end(), [](const Result& r) { return r.foreign != nullptr; }));
}

}  // namespace assay
