// Results as JSON on standard output.
#pragma once
#include <nlohmann/json.hpp>

namespace assay::cli {

/// One line. Text that is not UTF-8 gets replacement characters, numbers that are not finite become null.
void print_json(const nlohmann::ordered_json& value);

}  // namespace assay::cli
