// The fault list as a page for people: docs/faults.md.
#pragma once
#include <string>

#include "diagnose/faults/fault.h"

namespace assay {

/// What a fault is injected into: "decoder", "layout", "computation", "tokenizer", "prompt".
std::string_view injection_name(const Fault& fault) noexcept;

/// Markdown of every fault, family after family. docs/faults.md is this text; diagnose_test compares them,
/// and rewrites the page when ASSAY_UPDATE_DOCS is set.
std::string faults_markdown();

}  // namespace assay
