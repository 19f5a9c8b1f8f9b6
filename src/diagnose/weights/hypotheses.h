// Every faulty decoder and layout, tried on the bytes that the engine had.
#pragma once
#include <string>
#include <vector>

#include "diagnose/weights/judged.h"

namespace assay {

/// A fault, or a faulty decoder in a faulty layout.
struct Hypothesis {
  const Fault* decoder = nullptr;  // DecodeFault, or null
  const Fault* layout = nullptr;   // LayoutFault, or null

  std::string name() const;
};

struct TriedHypothesis {
  Hypothesis hypothesis;
  DumpRounding rounding = DumpRounding::none;
  size_t n_wrong = 0;  // numbers that it does not explain
};

/// All single faults that apply to the tensor, those that explain most first; the order of the list among
/// equals. One that holds the right values is left out.
std::vector<TriedHypothesis> try_single_faults(const JudgedWeights& judged, const Decoded& truth);
/// Pairs that explain every number. Tried only for tensors of at most kMostPairElements.
inline constexpr size_t kMostPairElements = size_t(1) << 20;
std::vector<TriedHypothesis> try_pairs(const JudgedWeights& judged, const Decoded& truth);

/// A tensor of the file where some of the hypotheses differ from others; empty when there is none.
std::string tensor_that_tells_apart(const JudgedWeights& judged, std::span<const TriedHypothesis> hypotheses);

}  // namespace assay
