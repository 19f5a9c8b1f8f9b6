// The comparison itself: loads, runs, draws the null distributions, judges.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "diagnose/compare/comparison.h"
#include "diagnose/faults/fault.h"

namespace assay {

struct CompareOptions {
  std::vector<std::filesystem::path> files;
  std::filesystem::path anchor;  // empty: of `files`, that of most bits a weight; of equals, the first
  std::vector<std::string> backends{"exact"};
  std::optional<std::string> prompt;  // one sequence
  std::optional<std::string> text;    // its first n_tokens tokens; neither: sampled from the anchor
  size_t n_tokens = 256;              // of text or sample, in sequences of up to kSequence
  uint64_t seed = 1;
  std::vector<const Fault*> faults;  // the rows are run as an engine with these would; only on exact
  size_t n_threads = 0;
  size_t n_draws = 12;  // of each null distribution
  size_t n_greedy = 24;
  /// Steps done and in all, and what is being done; false stops.
  std::function<bool(size_t done, size_t total, std::string_view what)> progress;

  static constexpr size_t kSequence = 128;
};

/// The steps, for every file: (1) its tokens against the anchor's; (2) every tensor against the anchor's
/// (storage_noise.h); (3) each backend's logits against `exact` on the same file: `cpu` must equal `twin` bit
/// for bit on the first tokens, another must be no further from `exact` than twice as far as twin is; (4) the
/// logits of the text against those of the anchor, in the null distribution of null_model.h:
///   - log KL, and the logarithm of each layer's relative error: a t prediction of R draws (null_fit.h). The
///   null's middle
///     is moved by the logarithm of the file's own measured weight error over our encoder's (twice for KL,
///     which goes with its square), its scale widened by how far a true encoding falls from the draws;
///   - positions whose top token is another: beta-binomial, the rate known from the draws;
///   - at the last position, how far noise moves the gap between the anchor's top token and the file's.
/// Throws LoadError, UsageError, MachineError, and Stopped when progress() returned false.
Comparison compare(const CompareOptions& options);

}  // namespace assay
