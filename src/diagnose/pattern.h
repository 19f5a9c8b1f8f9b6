// What an error looks like: where in a result it is, and how the wrong numbers come from the right ones.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "ops/lockstep_ops.h"

namespace assay {

/// A result that should be `expected` and is `found`, both (n_tokens, n_cols), with what may differ;
/// `head_dim` 0 where the columns are no heads; `first_token` is the token of row 0.
struct ResultPair {
  const Values& expected;
  const Values& found;
  const Values& allowed;
  size_t head_dim = 0;
  size_t first_token = 0;
};

struct ErrorPattern {
  enum class Content : uint8_t {
    none,             // nothing is wrong
    not_finite,       // NaN or infinity where a number belongs
    zero,             // not written, or lost
    constant_factor,  // found = factor * expected
    row_factors,      // each row a factor of its own
    constant_vector,  // found = expected + the same row for every token (two tokens at least)
    token_shift,      // token t has what token t - shift should have
    column_shift,     // column c has what column c - shift should have
    permutation,      // each row has its numbers in other places
    scattered         // none of these
  } content = Content::none;
  double factor = 0;  // constant_factor
  long shift = 0;     // token_shift, column_shift

  size_t n_wrong = 0;
  std::vector<size_t> tokens;  // rows with an error, ascending
  std::vector<size_t> heads;   // the same of heads, when there are
  // The smallest description of the wrong columns that holds; empty where all are wrong: "columns 64..95",
  // "the second half of each head", "columns 16..31 of every 32", "the last 7 columns".
  std::string columns;

  /// "constant factor 0.5", "permutation", ...
  std::string content_text() const;
  /// All of it in one sentence: where, then what.
  std::string text(const ResultPair& c) const;
};

ErrorPattern find_pattern(const ResultPair& c);

}  // namespace assay
