// The quant table as a page for people: docs/quant-types.md.
#pragma once
#include <string>

namespace assay {

/// Markdown of every type of quant_types(): ids, sizes, and what its kernels need to know.
/// docs/quant-types.md is this text; quant_test compares them, and rewrites the page when ASSAY_UPDATE_DOCS
/// is set.
std::string quant_types_markdown();

}  // namespace assay
