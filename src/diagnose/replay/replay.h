// A model run on another engine's own intermediates: each operation gets the inputs that the engine had, so
// that an error is where it arises and not in all that follows.
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "diagnose/faults/faulty_engine.h"
#include "diagnose/replay/foreign_trace.h"

namespace assay {

/// One result beside the engine's. Numbers that are not finite on both sides count as equal, on one side as a
/// thousandfold error.
struct Compared {
  size_t result = 0;    // number in the alignment
  double relative = 0;  // norm(theirs - ours) / norm(ours)
  double cosine = 1;
  std::vector<double> row_errors;  // relative, for each row of theirs
  size_t first_row = 0;            // of ours that theirs begins with
  size_t n_cols = 0;
  std::vector<double> ours;  // kept for the result asked for
  std::vector<double> theirs;
};

struct ReplayOptions {
  std::optional<size_t> keep;  // the result whose numbers are kept
  /// Products whose results come before this one and are all in the trace are not computed, and what they are
  /// compared with says nothing. Results from here on are the same as without.
  size_t from = 0;
  /// Asked after each result; false ends the run there.
  std::function<bool(const Compared&)> go_on;
};

struct Replay {
  std::vector<Compared> compared;         // in order of execution
  std::vector<std::string> wrong_shapes;  // "NAME has shape ..., not ..."
};

/// Runs `ids` on `engine`, writing the engine's values over each result that the trace has. Throws
/// MachineError.
Replay replay(const Model& model, FaultyEngine& engine, std::span<const int32_t> ids,
              const TraceAlignment& trace, const ReplayOptions& options = {});

}  // namespace assay
