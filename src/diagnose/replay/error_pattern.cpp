#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "diagnose/replay/trace_diagnosis.h"

namespace assay {
namespace {

struct Errors {
  std::span<const double> ours, theirs;
  size_t n_rows, n_cols;
  double scale;  // RMS of ours

  double at(size_t i, size_t j) const { return theirs[i * n_cols + j] - ours[i * n_cols + j]; }
  bool differs(size_t i, size_t j) const { return !(std::abs(at(i, j)) <= 1e-3 * scale); }
};

/// The range of what `differs`, when it is not everything.
std::string range(std::string_view what, const std::vector<bool>& differs, size_t offset) {
  const auto first = std::find(differs.begin(), differs.end(), true);
  if (first == differs.end()) return "";
  const auto last = std::find(differs.rbegin(), differs.rend(), true).base() - 1;
  const size_t a = size_t(first - differs.begin()), b = size_t(last - differs.begin());
  if (a == 0 && b + 1 == differs.size()) return "";
  if (b + 1 == differs.size() && what == "position") return fmt::format("from position {} on", a + offset);
  if (a == b) return fmt::format("{} {} only", what, a + offset);
  return fmt::format("{}s {}..{} only", what, a + offset, b + offset);
}

std::string relation(const Errors& e) {
  double product = 0, norm = 0, error = 0;
  for (size_t i = 0; i < e.ours.size(); ++i)
    product += e.ours[i] * e.theirs[i], norm += e.ours[i] * e.ours[i];
  const double factor = norm > 0 ? product / norm : 0;
  for (size_t i = 0; i < e.ours.size(); ++i) error += std::pow(e.theirs[i] - factor * e.ours[i], 2);
  if (std::abs(factor - 1) > 1e-3 && error <= 1e-4 * norm)
    return fmt::format("a constant factor {:.4g}", factor);

  double spread = 0, total = 0, shifted = 0, shift_norm = 0;
  for (size_t j = 0; j < e.n_cols; ++j) {
    double mean = 0;
    for (size_t i = 0; i < e.n_rows; ++i) mean += e.at(i, j) / double(e.n_rows);
    for (size_t i = 0; i < e.n_rows; ++i)
      spread += std::pow(e.at(i, j) - mean, 2), total += std::pow(e.at(i, j), 2);
    for (size_t i = 1; i < e.n_rows; ++i) {
      shifted += std::pow(e.theirs[i * e.n_cols + j] - e.ours[(i - 1) * e.n_cols + j], 2);
      shift_norm += std::pow(e.ours[i * e.n_cols + j], 2);
    }
  }
  if (e.n_rows > 2 && spread <= 1e-4 * total) return "a constant vector in every row";
  if (e.n_rows > 2 && shifted <= 1e-4 * shift_norm) return "each row is the row before";

  bool permuted = true, scaled_rows = true;
  for (size_t i = 0; i < e.n_rows; ++i) {
    std::vector<double> a(e.ours.begin() + ptrdiff_t(i * e.n_cols),
                          e.ours.begin() + ptrdiff_t((i + 1) * e.n_cols));
    std::vector<double> b(e.theirs.begin() + ptrdiff_t(i * e.n_cols),
                          e.theirs.begin() + ptrdiff_t((i + 1) * e.n_cols));
    double ab = 0, aa = 0, bb = 0;
    for (size_t j = 0; j < e.n_cols; ++j) ab += a[j] * b[j], aa += a[j] * a[j], bb += b[j] * b[j];
    scaled_rows &= ab * ab >= (1 - 1e-6) * aa * bb;
    std::ranges::sort(a);
    std::ranges::sort(b);
    for (size_t j = 0; j < e.n_cols; ++j) permuted &= std::abs(a[j] - b[j]) <= 1e-3 * e.scale;
  }
  if (permuted) return "the same numbers in another order";
  if (scaled_rows && e.n_cols > 1) return "a factor of its own in each row";
  return "";
}

}  // namespace

std::string error_pattern(std::span<const double> ours, std::span<const double> theirs, size_t n_cols,
                          size_t first_row, size_t head_dim) {
  double norm = 0;
  for (size_t i = 0; i < ours.size(); ++i) {
    if (!std::isfinite(theirs[i])) return "numbers that are not finite";
    norm += ours[i] * ours[i];
  }
  if (ours.empty()) return "";
  const Errors e{ours, theirs, ours.size() / n_cols, n_cols, std::sqrt(norm / double(ours.size()))};
  std::vector<bool> rows(e.n_rows), cols(n_cols), heads(head_dim ? n_cols / head_dim : 0);
  for (size_t i = 0; i < e.n_rows; ++i)
    for (size_t j = 0; j < n_cols; ++j) {
      if (!e.differs(i, j)) continue;
      rows[i] = cols[j] = true;
      if (!heads.empty()) heads[std::min(j / head_dim, heads.size() - 1)] = true;
    }
  std::string text = relation(e);
  const auto append = [&](const std::string& more) {
    if (!more.empty()) text += (text.empty() ? "" : ", ") + more;
    return !more.empty();
  };
  append(range("position", rows, first_row));
  if (!append(range("head", heads, 0))) append(range("column", cols, 0));
  return text;
}

}  // namespace assay
