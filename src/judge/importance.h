// Importance matrices made: what the activations of a text drive in each column of each weight.
#pragma once
#include <functional>

#include "judge/scored_text.h"
#include "quantize/imatrix_file.h"
#include "runtime/loaded_model.h"

namespace assay {

struct ImportanceOptions {
  bool with_output = false;  // output.weight too
  size_t n_batch = 256;
};

/// Adds to `into`, chunk after chunk from number `first_chunk` on, the squares of the activations that meet
/// each weight of a layer, as llama.cpp's tools/imatrix does: all positions of a chunk count, those of an
/// expert are the rows routed to it. `into.chunk_count` grows by one a chunk. `chunk_done` is called after
/// each; false ends there. Throws UsageError when `into` has entries of another model's shape, or as Session;
/// MachineError.
void collect_importance(LoadedModel& loaded, const ScoredText& text, size_t first_chunk,
                        const ImportanceOptions& options, Imatrix& into,
                        const std::function<bool(size_t chunk)>& chunk_done);

}  // namespace assay
