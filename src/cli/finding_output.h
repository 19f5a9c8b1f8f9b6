// A finding on standard output, for people or as JSON.
#pragma once
#include <string_view>

#include "cli/command.h"
#include "diagnose/finding.h"

namespace assay::cli {

/// Prints it; the status is kFaultFound for a fault, a shortlist and an unknown fault.
ExitStatus print_finding(const Finding& finding, bool json);

}  // namespace assay::cli
