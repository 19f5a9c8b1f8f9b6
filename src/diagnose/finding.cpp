#include "diagnose/finding.h"

#include <array>

namespace assay {

std::string_view verdict_name(Finding::Verdict verdict) noexcept {
  constexpr std::array kNames{"no fault found", "fault", "one of several faults", "unknown fault",
                              "not enough data"};
  return kNames[size_t(verdict)];
}

}  // namespace assay
