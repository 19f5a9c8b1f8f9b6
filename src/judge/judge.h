// One pass over a scored text: how well models predict it, and how far they are from a base.
#pragma once
#include <functional>

#include "base/thread_pool.h"
#include "judge/logit_source.h"

namespace assay {

/// Surprise of every prediction, chunk after chunk; `chunk_done` ends the pass by returning false. Throws
/// UsageError when a logit is not a number, and what the source throws.
std::vector<double> measure_surprise(LogitSource& source, const ScoredText& text, ThreadPool& pool,
                                     const std::function<bool(std::span<const double> so_far)>& chunk_done);

/// For each of `models`, every prediction beside the base's: the same chunks, one after another through all
/// of them, so that nothing but one block of rows is kept. Throws UsageError for a vocabulary of another
/// size, and as measure_surprise().
std::vector<std::vector<Divergence>> measure_divergence(
    LogitSource& base, std::span<LogitSource* const> models, const ScoredText& text, ThreadPool& pool,
    const std::function<bool(std::span<const std::vector<Divergence>> so_far)>& chunk_done);

/// Throws UsageError unless `value`, of a prediction in `chunk`, is finite.
void need_finite(double value, size_t chunk);

}  // namespace assay
