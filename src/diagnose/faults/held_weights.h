// A stored tensor as an engine with faults holds it.
#pragma once
#include <span>
#include <vector>

#include "diagnose/faults/fault.h"

namespace assay {

/// How the engine gets at the tensor's values.
struct HeldWeights {
  const QuantType* type = nullptr;      // the decoder of its blocks
  const LayoutFault* layout = nullptr;  // null: every block is where it belongs
  std::vector<const Fault*> faults;     // those that touch the tensor; none: all is as it should be

  /// The values that it holds, n_elements f32 in the file's order.
  std::vector<float> values(const StoredTensor& tensor) const;
};

/// Faults that touch no weights are passed over. Throws UsageError when two of them replace the tensor's
/// decoder, or two its layout: each is a whole decoder or layout of its own, so one of them would not happen.
HeldWeights hold_weights(const StoredTensor& tensor, std::span<const Fault* const> faults);

}  // namespace assay
