// Where dumped weights are wrong when no known fault explains them: which weights, which part of the formula,
// which bytes and bits of a block.
#pragma once
#include <string>
#include <vector>

#include "diagnose/weights/judged.h"

namespace assay {

struct WrongPart {
  std::string place;                 // the most that can be said in one phrase
  std::vector<std::string> figures;  // what it rests on
};

/// `truth` is what the rows hold; at least one number disagrees.
WrongPart locate_wrong_part(const JudgedWeights& judged, const Decoded& truth, DumpRounding rounding);

}  // namespace assay
