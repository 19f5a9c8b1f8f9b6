#include "diagnose/faults/held_weights.h"

#include <fmt/format.h>

#include "base/load_error.h"

namespace assay {

HeldWeights hold_weights(const StoredTensor& tensor, std::span<const Fault* const> faults) {
  HeldWeights held;
  held.type = tensor.info.type;
  const Fault *decoder = nullptr, *layout = nullptr;
  const auto take = [&](const Fault*& place, const Fault* fault) {
    if (place)
      throw UsageError(fmt::format("{} and {}: both replace the {} of {}", place->id, fault->id,
                                   &place == &decoder ? "decoder" : "layout", printable(tensor.info.name)));
    place = fault;
    held.faults.push_back(fault);
  };
  for (const Fault* fault : faults) {
    if (const QuantType* type = faulty_type(*fault, *tensor.info.type)) {
      take(decoder, fault);
      held.type = type;
    } else if (const auto* wrong = std::get_if<LayoutFault>(&fault->injection);
               wrong && wrong->touches(tensor)) {
      take(layout, fault);
      held.layout = wrong;
    }
  }
  return held;
}

std::vector<float> HeldWeights::values(const StoredTensor& tensor) const {
  std::vector<float> values(tensor.info.n_elements);
  if (layout) {
    TensorInfo info = tensor.info;
    info.type = type;
    layout->decode({tensor.file, info, tensor.hparams}, values);
  } else {
    type->dequantize(tensor.file.data(tensor.info).data(), values.size() / type->block_elems, values.data());
  }
  return values;
}

}  // namespace assay
