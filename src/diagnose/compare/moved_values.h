// Right values in wrong places: what a tensor looks like when it is not noise that it differs by.
#pragma once
#include <string>

#include "gguf/gguf.h"

namespace assay {

/// In words, how `tensor` comes from `anchor`, of the same shape: a factor, a transpose, rows in another
/// order, values shifted; each where it explains the values to a cosine of 0.9 and nothing simpler does.
/// Empty: none does. Looks at some rows of each expert only.
std::string explain_values(const GgufFile& anchor_file, const TensorInfo& anchor, const GgufFile& file,
                           const TensorInfo& tensor);

}  // namespace assay
