// The source of faults that have no public report.
#pragma once
#include <string_view>

namespace assay {

/// The format, or the formula, invites the mistake.
inline constexpr std::string_view kFromTheFormat = "from the format";

}  // namespace assay
