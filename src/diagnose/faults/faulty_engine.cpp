#include "diagnose/faults/faulty_engine.h"

#include "runtime/backend.h"
#include "runtime/session.h"

namespace assay {

FaultyEngine::FaultyEngine(const Model& model, ThreadPool& pool, std::span<const Fault* const> faults)
    : model_(model),
      exact_(need_backend("exact").make({pool, {}})),
      weights_(*exact_),
      outermost_(&weights_) {
  for (const Fault* fault : faults) applies_ &= add(*fault);
}

bool FaultyEngine::add(const Fault& fault) {
  if (const auto* ops = std::get_if<OpsFault>(&fault.injection)) {
    std::unique_ptr<ForwardOps> wrapped = ops->wrap(*outermost_, model_);
    if (!wrapped) return false;
    outermost_ = wrapped.get();
    wrapped_.push_back(std::move(wrapped));
    return true;
  }
  bool touched = false;
  for (const Weight& weight : model_.weights()) {
    Weight faulty = weight;
    if (const QuantType* type = faulty_type(fault, *weight.type)) {
      faulty.type = type;
    } else if (const auto* layout = std::get_if<LayoutFault>(&fault.injection)) {
      const TensorInfo* info = model_.file().find(weight.name);
      const StoredTensor stored{model_.file(), *info, &model_.hparams()};
      if (!layout->touches(stored)) continue;
      std::vector<float>& values = values_.emplace_back(info->n_elements);
      layout->decode(stored, values);
      faulty.type = find_quant_type("F32");
      faulty.bytes = std::as_bytes(std::span(values));
    } else {
      continue;
    }
    replace(weight, std::move(faulty));
    touched = true;
  }
  return touched;
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
