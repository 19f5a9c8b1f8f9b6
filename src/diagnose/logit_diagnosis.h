// From another engine's logits to the fault behind them, when nothing else was dumped.
//
// Every hypothesis is the whole model run under one fault. What an engine's logits may differ by with nothing
// wrong is measured on the same ids: the `cpu` evaluator with an f16 cache against `exact` with an f32 one,
// row by row. A hypothesis explains the rows when each is within kNoiseMargin of that noise; engines round at
// other places than ours, so the margin is wider than 1. Among hypotheses the likelihood decides: with
// Gaussian errors of unknown size a row whose relative error falls from e0 to e counts ln((e0 + f) / (e +
// f)), f being what f32 logits leave. Errors of one row are not independent, so a row counts once.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "diagnose/finding.h"

namespace assay {

/// What was seen of one position's logits.
struct ObservedRow {
  size_t position = 0;
  std::vector<int32_t> ids;     // which logits; empty: all, in order
  std::vector<double> values;   // as many; those that are not finite must be so in the hypothesis too
  bool up_to_constant = false;  // log-probabilities: logits less an unknown constant
  double rounding = 0x1p-24;    // what the dump's number type changes a value by at most, relative
};

/// What the engine ran from position 0, and what was seen of it.
struct ObservedRun {
  std::vector<int32_t> ids;
  std::vector<ObservedRow> rows;
};

struct LogitDiagnosisOptions {
  const Fault* hidden = nullptr;  // a fault that is not in the list for this diagnosis
  std::function<bool(size_t n_done, size_t n_all)> progress;  // false ends the search
};

inline constexpr double kNoiseMargin = 4;

/// One fault for all runs; the cheapest first, as a run that a fault does not explain ends its trial. Throws
/// UsageError when a row has no position of its run or no ids of the vocabulary; MachineError.
Finding diagnose_logits(const Model& model, ThreadPool& pool, std::span<const ObservedRun> runs,
                        const LogitDiagnosisOptions& options = {});

}  // namespace assay
