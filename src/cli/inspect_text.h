// What `assay inspect` prints for people.
#pragma once
#include <string>

#include "diagnose/inspect.h"

namespace assay::cli {

std::string file_text(const GgufFile& file);
std::string tensor_text(const GgufFile& file, const TensorInfo& tensor);
std::string stats_text(const TensorStats& stats);
std::string block_text(const TensorInfo& tensor, const BlockView& view);
std::string difference_text(const TensorDifference& difference, const TensorInfo& tensor);
/// "12.3 MiB"
std::string bytes_text(uint64_t n_bytes);

}  // namespace assay::cli
