#include "diagnose/compare/moved_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
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

/// The factor between `a` and `b`, n values whose norms are in this ratio and whose cosine is given. b fitted
/// by a gives ratio * cosine, a fitted by b the inverse of ratio / cosine; noise that is independent of a
/// makes the first right, noise that is independent of b (an encoder that rounds to the mean of a cell) the
/// second. Both have a standard error of tan(angle) / sqrt(n). So this is the shortest number between the
/// two, give or take three of these.
std::string factor_text(double ratio, double cosine, size_t n) {
  const double c = std::min(std::abs(cosine), 1.0);
  const double either_way = 1 - c + 3 * std::sqrt((1 - c * c) / double(n)) / c;
  std::string text;
  for (int digits = 1; digits <= 6; ++digits) {
    text = fmt::format("{:.{}g}", ratio, digits);
    if (std::abs(std::stod(text) / ratio - 1) <= either_way) break;
  }
  return (cosine < 0 ? "-" : "") + text;
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
  if (std::abs(c) > kSame) {
    const std::string factor = factor_text(norm(b) / norm(a), c, a.size());
    return factor == "1" ? std::string() : "its values are the anchor's times " + factor;
  }
  if (norm(b) == 0) return "it is zero";

  // The rows of one are the columns of the other; which of the two was laid out (n_cols, n_rows) is open.
  std::vector<float> transposed(a.size()), restored(a.size());
  for (size_t row = 0; row < n_rows; ++row)
    for (size_t col = 0; col < n_cols; ++col) {
      transposed[col * n_rows + row] = a[row * n_cols + col];
      restored[row * n_cols + col] = a[col * n_rows + row];
    }
  for (const std::vector<float>& other : {std::cref(transposed), std::cref(restored)})
    if (n_rows > 1 && cosine(other.data(), b.data(), b.size()) > kSame)
      return "it is the anchor's transposed";

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
