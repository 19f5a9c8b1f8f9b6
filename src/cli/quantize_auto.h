// assay quantize --auto: the type of each tensor by what it costs.
#pragma once
#include <string>
#include <vector>

#include "cli/command.h"
#include "quantize/imatrix_file.h"
#include "quantize/mix.h"

namespace assay::cli {

struct AutoOptions {
  std::string budget;  // empty: not asked for
  std::string text;
  size_t n_ctx = 256, n_chunks = 8, n_threads = 0;
};

/// --auto, --text and what goes with them.
void add_auto_options(CLI::App& app, AutoOptions& options);

struct AutoChoice {
  std::vector<TypeChoice> choices;  // `standard`, with other types for the tensors that it quantizes
  double estimated_kl = 0;          // the sum over tensors
  double measured_kl = 0, measured_error = 0;
};

/// Measures the model at `path` and spends the budget on its tensors. `standard` says which tensors are
/// quantized at all. Progress on a terminal. Throws UsageError for a budget that is none, or too small for
/// the smallest types.
AutoChoice choose_automatically(const std::string& path, std::span<const TypeChoice> standard,
                                const Imatrix* imatrix, const AutoOptions& options);

}  // namespace assay::cli
