// Dumped weights -> a finding.
#pragma once
#include <optional>
#include <string>
#include <utility>

#include "diagnose/dumps/dump.h"
#include "diagnose/finding.h"

namespace assay {

/// Judges what another engine decoded of `tensor`: `dump` holds its rows [rows->first, rows->second), or all
/// of them, as (rows, cols), flat, or (cols, rows). Compared are numbers of the same bytes, so that nothing
/// but the bound of agreement.h is allowed. `hidden` is a fault that is not in the list for this
/// diagnosis. Throws ShapeMismatch, UsageError.
Finding judge_weights(const StoredTensor& tensor, const Dump& dump, const DumpTensor& dumped,
                      std::optional<std::pair<uint64_t, uint64_t>> rows, const Fault* hidden = nullptr);

}  // namespace assay
