#include "diagnose/faults/faulty_engine.h"

#include <algorithm>
#include <set>

#include "diagnose/faults/held_weights.h"
#include "runtime/backend.h"
#include "runtime/session.h"

namespace assay {

FaultyEngine::FaultyEngine(const Model& model, ThreadPool& pool, std::span<const Fault* const> faults)
    : model_(model),
      exact_(need_backend("exact").make({pool, {}})),
      weights_(*exact_),
      outermost_(&weights_) {
  std::set<const Fault*> touching;
  for (const Fault* fault : faults)
    if (add_ops(*fault)) touching.insert(fault);
  for (const Weight& weight : model_.weights()) {
    const StoredTensor stored{model_.file(), *model_.file().find(weight.name), &model_.hparams()};
    const HeldWeights held = hold_weights(stored, faults);
    if (held.faults.empty()) continue;
    touching.insert(held.faults.begin(), held.faults.end());
    Weight faulty = weight;
    faulty.type = held.type;
    if (held.layout) {
      faulty.type = find_quant_type("F32");
      faulty.bytes = std::as_bytes(std::span(values_.emplace_back(held.values(stored))));
    }
    replace(weight, std::move(faulty));
  }
  applies_ = std::ranges::all_of(faults, [&](const Fault* fault) { return touching.contains(fault); });
}

bool FaultyEngine::add_ops(const Fault& fault) {
  const auto* ops = std::get_if<OpsFault>(&fault.injection);
  std::unique_ptr<ForwardOps> wrapped = ops ? ops->wrap(*outermost_, model_) : nullptr;
  if (!wrapped) return false;
  outermost_ = wrapped.get();
  wrapped_.push_back(std::move(wrapped));
  return true;
}

void FaultyEngine::replace(const Weight& healthy, Weight faulty) {
  weights_.replace(healthy.id, &replaced_.emplace_back(std::move(faulty)));
}

std::vector<float> FaultyEngine::logits(std::span<const int32_t> ids, KvType kv_type) {
  std::vector<float> all;
  all.reserve(ids.size() * model_.hparams().vocab_size);
  Session session(
      model_, ops(),
      {.n_ctx = ids.size(), .n_batch = ids.size(), .n_logit_rows = ids.size(), .kv_type = kv_type});
  session.prefill(ids, [&](size_t, std::span<const float> logits, std::span<const float>) {
    all.insert(all.end(), logits.begin(), logits.end());
  });
  return all;
}

}  // namespace assay
