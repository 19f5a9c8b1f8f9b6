// How much worse a model gets by storing one of its tensors in a smaller type.
#pragma once
#include <functional>

#include "judge/judge.h"
#include "quantize/imatrix_file.h"

namespace assay {

/// One tensor's types, and what each is estimated to cost.
struct TensorCosts {
  const TensorInfo* tensor = nullptr;
  struct Option {
    const QuantType* type;
    uint64_t n_bytes;
    double kl;  // nats a token, from the model as it is
  };
  std::vector<Option> options;  // by ascending size
};

/// Judges changes of a model's weights on a text, by the logits that the model itself gives there, which are
/// kept: n_scored * vocab_size f32.
class SensitivityProbe {
 public:
  /// Runs the text once. `loaded`, `text` and `imatrix` (may be null) outlive the probe. Throws as
  /// ModelSource.
  SensitivityProbe(LoadedModel& loaded, const ScoredText& text, const Imatrix* imatrix, ThreadPool& pool);
  ~SensitivityProbe();

  /// Stores one tensor in a coarse type (kProbe), everything else as it is, and runs the text: its KL,
  /// divided by the squared relative error of that type, times the squared relative error of each type of
  /// `types` that fits the rows. The errors are measured on an eighth of the rows, weighted by the importance
  /// matrix. Throws UsageError when the tensor is none that the model computes with.
  TensorCosts measure(const TensorInfo& tensor, std::span<const QuantType* const> types);

  /// The KL with all these tensors in these types at once.
  Estimate kl_of(std::span<const std::pair<const TensorInfo*, const QuantType*>> stored);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace assay
