// Reading a stored tensor at places where it is not.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diagnose/faults/fault.h"

namespace assay::stored {

/// Fills `out` with the bytes of the tensor's file from `offset` on; what lies outside the file is 0.
void read_file(const StoredTensor& tensor, int64_t offset, std::span<std::byte> out);

/// Decodes values.size() weights as `type`, block k at first_offset + k * stride of the tensor's file; the
/// last block may be cut.
void decode_blocks(const StoredTensor& tensor, const QuantType& type, int64_t first_offset, int64_t stride,
                   std::span<float> values);

/// What the tensor holds (by its info's type).
void decode(const StoredTensor& tensor, std::span<float> values);

/// Row r of the result is row source(r) of the tensor; SIZE_MAX: zeros.
template <class Source>
void decode_rows(const StoredTensor& tensor, std::span<float> values, const Source& source) {
  const TensorInfo& info = tensor.info;
  const size_t n_cols = info.n_cols();
  const int64_t row_bytes = int64_t(info.n_bytes / info.n_rows());
  for (size_t r = 0; r < info.n_rows(); ++r) {
    const size_t from = source(r);
    const std::span<float> row = values.subspan(r * n_cols, n_cols);
    if (from == SIZE_MAX)
      std::fill(row.begin(), row.end(), 0.0f);
    else
      decode_blocks(tensor, *info.type, int64_t(info.file_offset) + int64_t(from) * row_bytes,
                    info.type->block_bytes, row);
  }
}

/// Whether the name is that of a layer's tensor `role` ("attn_q.weight"), or of the model's
/// ("output.weight").
bool has_role(const TensorInfo& info, std::string_view role);

/// The tensor with `role` in this tensor's name replaced by `other`, of the same shape; null when there is
/// none.
const TensorInfo* sibling(const StoredTensor& tensor, std::string_view role, std::string_view other);

}  // namespace assay::stored
