// What a table says of a model file.
#pragma once
#include <string>

#include "gguf/gguf.h"

namespace assay {

/// Bits a weight over all tensors; 0 without any.
double bits_per_weight(const GgufFile& file);
/// "Q4_K 37, F32 13": types and their tensors, most bytes first.
std::string type_mix(const GgufFile& file);
/// Some tensor is stored in a type coarser than a float.
bool is_quantized(const GgufFile& file);

}  // namespace assay
