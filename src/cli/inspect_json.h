// What `assay inspect --json` prints.
#pragma once
#include <nlohmann/json.hpp>

#include "diagnose/inspect.h"

namespace assay::cli {

/// The file: version, sizes, metadata in full, the tensor directory.
nlohmann::ordered_json file_json(const GgufFile& file);
nlohmann::ordered_json tensor_json(const GgufFile& file, const TensorInfo& tensor);
nlohmann::ordered_json stats_json(const TensorStats& stats);
nlohmann::ordered_json block_json(const TensorInfo& tensor, const BlockView& view);
nlohmann::ordered_json difference_json(const TensorDifference& difference);

}  // namespace assay::cli
