// A comparison as one HTML page.
#pragma once
#include <string>

#include "diagnose/compare/comparison.h"

namespace assay {

/// A page that needs nothing else: the table, per-layer errors with the noise's band, a map of tensors and
/// files, the continuations side by side. Everything that comes from files is escaped.
std::string compare_report(const Comparison& comparison);

/// What lies below the table of it: curves, map, continuations.
std::string compare_sections(const Comparison& comparison);

}  // namespace assay
