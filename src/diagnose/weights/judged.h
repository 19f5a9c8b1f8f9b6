// Rows of a stored tensor, and what another engine says that they are.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "diagnose/faults/fault.h"
#include "diagnose/weights/agreement.h"

namespace assay {

struct JudgedWeights {
  StoredTensor tensor;
  size_t first_row = 0, n_rows = 0;
  std::vector<float> dumped;  // (n_rows, n_cols)
  std::vector<DumpRounding> roundings;
  const Fault* hidden = nullptr;  // not among the hypotheses

  size_t n_cols() const { return tensor.info.n_cols(); }
  size_t n_blocks() const { return dumped.size() / tensor.info.type->block_elems; }
  /// The blocks of the rows.
  std::span<const std::byte> blocks() const {
    const size_t row_bytes = tensor.info.n_bytes / tensor.info.n_rows();
    return tensor.file.data(tensor.info).subspan(first_row * row_bytes, n_rows * row_bytes);
  }
};

/// What a hypothesis says that the rows are.
struct Decoded {
  std::vector<float> values, slack;
};
Decoded decode_as(const JudgedWeights& judged, const QuantType& type);
/// What the rows hold.
Decoded decode_truth(const JudgedWeights& judged);

/// Numbers that disagree under one rounding; stops counting behind `most`.
size_t count_wrong(const JudgedWeights& judged, const Decoded& decoded, DumpRounding rounding,
                   size_t most = SIZE_MAX);

}  // namespace assay
