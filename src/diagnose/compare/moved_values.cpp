#include "diagnose/compare/moved_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace assay {
namespace {

constexpr double kSame = 0.9;  // cosine: 2-bit types keep 0.93 of their originals, strangers 0.1
constexpr size_t kMostValues = 1 << 26;

std::vector<float> decode(const GgufFile& file, const TensorInfo& tensor) {
  const size_t n = std::min<size_t>(tensor.n_elements, tensor.dims[0] * tensor.dims[1]);  // the first expert
  std::vector<float> values(n);
  tensor.type->dequantize(file.data(tensor).data(), n / tensor.type->block_elems, values.data());
  return values;
}

/// Cosine of n values of `a` and of `b`.
double cosine(const float* a, const float* b, size_t n) {
  double aa = 0, bb = 0, ab = 0;
  for (size_t i = 0; i < n; ++i) {
    aa += double(a[i]) * double(a[i]);
    bb += double(b[i]) * double(b[i]);
    ab += double(a[i]) * double(b[i]);
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

double norm(const std::vector<float>& values) {
  double sum = 0;
  for (const float v : values) sum += double(v) * double(v);
  return std::sqrt(sum);
}

}  // namespace

std::string explain_values(const GgufFile& anchor_file, const TensorInfo& anchor, const GgufFile& file,
                           const TensorInfo& tensor) {
  const size_t n_cols = tensor.dims[0], n_rows = tensor.dims[1];
  if (n_cols * n_rows > kMostValues || n_cols == 0 || n_rows == 0) return {};
  const std::vector<float> a = decode(anchor_file, anchor), b = decode(file, tensor);
  const double c = cosine(a.data(), b.data(), a.size());
  if (std::abs(c) > kSame && norm(a) > 0)
    return fmt::format("its values are the anchor's times {:.4g}", std::copysign(norm(b) / norm(a), c));
  if (norm(b) == 0) return "it is zero";

  std::vector<float> other(a.size());
  for (size_t row = 0; row < n_rows; ++row)
    for (size_t col = 0; col < n_cols; ++col) other[row * n_cols + col] = a[col * n_rows + row];
  if (n_rows > 1 && cosine(other.data(), b.data(), b.size()) > kSame) return "it is the anchor's transposed";

  // Shifted through the whole tensor: an offset in the file.
  const size_t n_probe = std::min<size_t>(a.size() / 2, 8192);
  for (size_t shift = 1; shift < std::min<size_t>(a.size() / 2, 2 * n_cols + 1); ++shift) {
    if (cosine(a.data() + shift, b.data(), n_probe) > kSame)
      return fmt::format("its values begin {} late", shift);
    if (cosine(a.data(), b.data() + shift, n_probe) > kSame)
      return fmt::format("its values begin {} early", shift);
  }
  // Rows in another order.
  std::string moved;
  size_t n_moved = 0, n_seen = 0;
  for (size_t row = 0; row < n_rows && n_rows > 1; row += std::max<size_t>(1, n_rows / 16)) {
    ++n_seen;
    for (size_t from = 0; from < n_rows; ++from) {
      if (cosine(a.data() + from * n_cols, b.data() + row * n_cols, n_cols) < kSame) continue;
      if (from != row && ++n_moved <= 4)
        moved += fmt::format("{}{} holds {}", moved.empty() ? "" : ", ", row, from);
      break;
    }
  }
  if (n_moved * 2 > n_seen) return "its rows are the anchor's in another order: " + moved;
  return {};
}

}  // namespace assay
