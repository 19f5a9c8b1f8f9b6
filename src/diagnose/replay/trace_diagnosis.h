// From another engine's trace to the fault behind it.
//
// The model is replayed on the engine's own intermediates (replay.h), so the error of each result is that of
// the operations since the last result the trace has. Each operation has a bound from what healthy engines
// do: products with quantized weights round activations to 8 bits (4 % of the result), those with f16 or bf16
// weights round them to that type; caches hold f16; activation functions come from f16 tables; all else is
// f32. Bounds of operations between two results of the trace add up, and so does the rounding of the dump
// itself.
//
// The first result beyond its bound is the place. Then the replay is repeated under each fault. A fault
// explains the trace when every result is back in its bound. With Gaussian errors of unknown size, a row
// whose relative error falls from e0 to e gives the fault the log-likelihood ln((e0 + f) / (e + f)), f being
// what f32 and the dump's type leave; a row counts once, however many numbers it has, because the errors of
// one row are not independent. Confidence is the likelihood among the faults that explain the trace and the
// hypothesis that no fault of the list does, which gets what an error at the bound would.
#pragma once
#include <functional>

#include "diagnose/finding.h"
#include "diagnose/replay/replay.h"

namespace assay {

struct TraceDiagnosisOptions {
  /// A fault that is not in the list for this diagnosis, so that what is left has to call it unknown.
  const Fault* hidden = nullptr;
  /// Called after each fault that was tried; false ends the search.
  std::function<bool(size_t n_done, size_t n_all)> progress;
};

/// Throws UsageError when the trace has no result of the model, MachineError.
Finding diagnose_trace(const Model& model, ThreadPool& pool, std::span<const int32_t> ids,
                       const ForeignTrace& trace, const TraceDiagnosisOptions& options = {});

}  // namespace assay
