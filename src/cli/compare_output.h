// A comparison on standard output, for people and as JSON.
#pragma once
#include "cli/json_output.h"
#include "diagnose/compare/comparison.h"

namespace assay::cli {

void print_comparison(const Comparison& comparison);
nlohmann::ordered_json json_of(const Comparison& comparison);

}  // namespace assay::cli
