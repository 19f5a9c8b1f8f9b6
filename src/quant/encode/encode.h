// Floats -> blocks of any stored type: the encoders of src/quant/encode, one file a family.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/load_error.h"
#include "quant/table.h"

namespace assay {

/// How long an encoder searches. `normal` is meant for everyday use; `max` for files that many will download.
enum class Effort : uint8_t { fast, normal, max };

struct EncodeRowsOptions {
  /// One weight a column, finite and not negative: the encoder minimizes sum importance * error^2 (IQ1 and
  /// IQ2: with large values raised). Empty: all equal.
  std::span<const float> importance;
  Effort effort = Effort::normal;
};

/// A value that no block can hold.
struct NotFinite : UsageError {
  NotFinite(size_t row_, size_t col_, float value);
  size_t row, col;
};

/// Encodes (n_rows, n_cols) floats, row-major, as n_rows * n_cols / block_elems blocks at `out` (any
/// alignment). The result depends on the type, the values, the importance and the effort alone. Finite values
/// beyond the type's reach become its largest. Any number of threads may call at once. Throws NotFinite at
/// the first NaN or infinity, with nothing said about `out`; UsageError when n_cols is not whole blocks, or
/// the importance has not n_cols weights or an invalid one.
void encode_rows(const QuantType& type, const float* rows, size_t n_rows, size_t n_cols,
                 const EncodeRowsOptions& options, std::byte* out);

}  // namespace assay
