// A check as one HTML page.
#pragma once
#include <string>
#include <string_view>

#include "diagnose/check/check.h"

namespace assay {

/// `signature`: who signs, "assay 0.1.0, 2026-01-31T12:00:00Z". With a source, the comparison's own sections
/// follow.
std::string check_report(const CheckReport& report, std::string_view signature);

}  // namespace assay
