#include "diagnose/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace assay {
namespace {

using Content = ErrorPattern::Content;

bool differs(double expected, double found, double allowed) {
  if (expected == found || (std::isnan(expected) && std::isnan(found))) return false;
  return !(std::abs(expected - found) <= allowed);
}
bool wrong(const ResultPair& c, size_t i) {
  return differs(c.expected.x[i], c.found.x[i], c.allowed.x[i]);
}

/// Whether every wrong number is what(i) instead, within what may differ there.
template <class What>
bool explains(const ResultPair& c, const std::vector<size_t>& at, const What& what) {
  return std::ranges::all_of(at, [&](size_t i) {
    return !differs(what(i), c.found.x[i], 2 * c.allowed.x[i] + 1e-12 * std::abs(c.found.x[i]));
  });
}

/// The factors of least-squares fits over each row's wrong numbers; none when a row has one wrong number
/// only, which any factor fits.
std::vector<double> fitted_row_factors(const ResultPair& c, const std::vector<size_t>& at) {
  std::vector<double> cross(c.found.n_rows), square(c.found.n_rows);
  std::vector<size_t> count(c.found.n_rows);
  for (const size_t i : at) {
    const size_t row = i / c.found.n_cols;
    cross[row] += c.expected.x[i] * c.found.x[i], square[row] += c.expected.x[i] * c.expected.x[i];
    ++count[row];
  }
  if (std::ranges::count(count, 1u) > 0) return {};
  for (size_t row = 0; row < cross.size(); ++row) cross[row] /= square[row] == 0 ? 1 : square[row];
  return cross;
}

/// The factor of a least-squares fit over the wrong numbers.
double fitted_factor(const ResultPair& c, const std::vector<size_t>& at) {
  double cross = 0, square = 0;
  for (const size_t i : at)
    cross += c.expected.x[i] * c.found.x[i], square += c.expected.x[i] * c.expected.x[i];
  return square == 0 ? 0 : cross / square;
}

/// Whether the row's numbers, sorted, fit a hundred times better than in place: a small error would fit
/// alike.
bool same_numbers(const ResultPair& c, size_t row) {
  std::vector<double> a(c.expected.row(row), c.expected.row(row) + c.expected.n_cols),
      b(c.found.row(row), c.found.row(row) + c.found.n_cols);
  const auto distance = [&] {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
  };
  const double in_place = distance();
  std::ranges::sort(a);
  std::ranges::sort(b);
  return distance() <= 1e-4 * in_place;
}

void find_content(const ResultPair& c, const std::vector<size_t>& at, ErrorPattern& p) {
  const size_t n_cols = c.found.n_cols, n_rows = c.found.n_rows;
  const auto is = [&](Content content) { p.content = content; };
  if (std::ranges::any_of(
          at, [&](size_t i) { return !std::isfinite(c.found.x[i]) && std::isfinite(c.expected.x[i]); }))
    return is(Content::not_finite);
  if (std::ranges::all_of(at, [&](size_t i) { return c.found.x[i] == 0; })) return is(Content::zero);
  p.factor = fitted_factor(c, at);
  if (at.size() > 1 && p.factor != 0 && explains(c, at, [&](size_t i) { return p.factor * c.expected.x[i]; }))
    return is(Content::constant_factor);
  if (const std::vector<double> factors = fitted_row_factors(c, at);
      !factors.empty() && explains(c, at, [&](size_t i) { return factors[i / n_cols] * c.expected.x[i]; }))
    return is(Content::row_factors);
  for (long shift : {1L, -1L, 2L, -2L})
    if (explains(c, at,
                 [&](size_t i) {
                   const long row = long(i / n_cols) - shift;
                   return row >= 0 && row < long(n_rows) ? c.expected.row(size_t(row))[i % n_cols]
                                                         : c.found.x[i];
                 }) &&
        p.tokens.size() > size_t(std::abs(shift))) {
      p.shift = shift;
      return is(Content::token_shift);
    }
  if (p.tokens.size() > 1) {
    // The mean difference of each column, over the tokens where it is wrong.
    std::vector<double> sum(n_cols), count(n_cols);
    for (const size_t i : at) sum[i % n_cols] += c.found.x[i] - c.expected.x[i], ++count[i % n_cols];
    if (explains(c, at, [&](size_t i) { return c.expected.x[i] + sum[i % n_cols] / count[i % n_cols]; }) &&
        at.size() > p.tokens.size() + n_cols / 4)
      return is(Content::constant_vector);
  }
  for (long shift = 1; shift < long(std::min<size_t>(n_cols, 129)); ++shift)
    for (const long s : {shift, -shift})
      if (explains(c, at, [&](size_t i) {
            const long col = (long(i % n_cols) - s + long(n_cols)) % long(n_cols);
            return c.expected.row(i / n_cols)[col];
          })) {
        p.shift = s;
        return is(Content::column_shift);
      }
  if (at.size() > 1 && std::ranges::all_of(p.tokens, [&](size_t row) { return same_numbers(c, row); }))
    return is(Content::permutation);
  is(Content::scattered);
}

/// The wrong columns in words; see ErrorPattern::columns.
std::string describe_columns(const std::set<size_t>& columns, size_t n_cols, size_t head_dim) {
  if (columns.size() == n_cols) return {};
  if (columns.size() == 1) return fmt::format("column {}", *columns.begin());
  const size_t first = *columns.begin(), last = *columns.rbegin();
  const size_t span = last - first + 1;
  // Errors may miss a column by chance; a run is one with at most an eighth of its columns right.
  const auto fills = [&](size_t n) { return 8 * columns.size() >= 7 * n; };
  if (fills(span)) {
    if (last + 1 == n_cols && span < n_cols) return fmt::format("the last {} columns", span);
    if (span == n_cols) return {};
    return fmt::format("columns {}..{}", first, last);
  }
  std::vector<size_t> periods;
  if (head_dim) periods.push_back(head_dim);
  for (const size_t period : {2, 4, 8, 16, 32, 64, 128, 256})
    if (period < n_cols && n_cols % period == 0) periods.push_back(period);
  for (const size_t period : periods) {
    std::set<size_t> folded;
    for (const size_t c : columns) folded.insert(c % period);
    if (folded.size() == period || !fills(folded.size() * (n_cols / period))) continue;
    const std::string of = period == head_dim ? "each head" : fmt::format("every {} columns", period);
    const size_t low = *folded.begin(), high = *folded.rbegin();
    if (high - low + 1 != folded.size()) {
      return fmt::format("{} of {} places in {}", folded.size(), period, of);
    }
    if (2 * folded.size() == period && low == 0) return "the first half of " + of;
    if (2 * folded.size() == period && high + 1 == period) return "the second half of " + of;
    if (low == high) return fmt::format("place {} of {}", low, of);
    return fmt::format("places {}..{} of {}", low, high, of);
  }
  return fmt::format("{} columns between {} and {}", columns.size(), first, last);
}

std::string list(std::span<const size_t> numbers, size_t offset = 0) {
  std::string text;
  for (const size_t n : numbers.first(std::min<size_t>(numbers.size(), 8)))
    text += (text.empty() ? "" : ", ") + std::to_string(offset + n);
  return numbers.size() > 8 ? text + ", ..." : text;
}

}  // namespace

ErrorPattern find_pattern(const ResultPair& c) {
  ErrorPattern p;
  std::vector<size_t> at;
  std::set<size_t> tokens, heads, columns;
  for (size_t i = 0; i < c.found.x.size(); ++i) {
    if (!wrong(c, i)) continue;
    at.push_back(i);
    tokens.insert(i / c.found.n_cols);
    columns.insert(i % c.found.n_cols);
    if (c.head_dim) heads.insert(i % c.found.n_cols / c.head_dim);
  }
  p.n_wrong = at.size();
  if (at.empty()) return p;
  p.tokens.assign(tokens.begin(), tokens.end());
  p.heads.assign(heads.begin(), heads.end());
  p.columns = describe_columns(columns, c.found.n_cols, c.head_dim);
  find_content(c, at, p);
  return p;
}

std::string ErrorPattern::content_text() const {
  switch (content) {
    case Content::none:
      return "no error";
    case Content::not_finite:
      return "NaN or infinity";
    case Content::zero:
      return "zeros";
    case Content::constant_factor:
      return fmt::format("constant factor {:.6g}", factor);
    case Content::row_factors:
      return "a factor of its own in each row";
    case Content::constant_vector:
      return "the same vector added to every token";
    case Content::token_shift:
      return fmt::format("the row of {} token{} {}", std::abs(shift), std::abs(shift) > 1 ? "s" : "",
                         shift > 0 ? "before" : "after");
    case Content::column_shift:
      return fmt::format("columns shifted by {}", shift);
    case Content::permutation:
      return "permutation: the right numbers in other places";
    case Content::scattered:
      return "no simple relation to the right numbers";
  }
  return {};
}

std::string ErrorPattern::text(const ResultPair& c) const {
  if (content == Content::none) return content_text();
  const size_t n_rows = c.found.n_rows;
  std::string where = tokens.size() == n_rows ? "all tokens"
                      : tokens.back() + 1 == n_rows && n_rows - tokens.front() == tokens.size()
                          ? fmt::format("from token {} on", c.first_token + tokens.front())
                          : "tokens " + list(tokens, c.first_token);
  const size_t n_heads = c.head_dim ? c.found.n_cols / c.head_dim : 0;
  if (n_heads > 1)
    where +=
        heads.size() == n_heads ? ", all heads" : (heads.size() == 1 ? ", head " : ", heads ") + list(heads);
  if (!columns.empty()) where += ", " + columns;
  return fmt::format("{}: {} ({} of {} numbers)", where, content_text(), n_wrong, c.found.x.size());
}

}  // namespace assay
