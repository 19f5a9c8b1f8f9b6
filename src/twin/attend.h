// twin::attend: attention of one query head, tile by tile (docs/arithmetic.md).
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "twin/arithmetic.h"

namespace assay::twin {

template <class Key, class Value>
void attend(const AttentionParams& params, const float* query, size_t begin, size_t end, const Key& key,
            const Value& value, float* out) {
  constexpr size_t kTile = 64;
  float top = -std::numeric_limits<float>::infinity(), sum = 0;
  std::fill_n(out, params.head_dim, 0.0f);
  for (size_t tile = begin / kTile * kTile; tile < end; tile += kTile) {
    const size_t first = std::max(begin, tile), last = std::min(end, tile + kTile);
    float score[kTile];
    float new_top = top;
    for (size_t j = first; j < last; ++j) {
      float s = 0;
      for (size_t d = 0; d < params.head_dim; ++d) s = std::fma(query[d], key(j)[d], s);
      s *= float(params.scale);
      if (params.soft_cap != 0) s = soft_cap(s, float(params.soft_cap));
      score[j - tile] = s;
      new_top = s > new_top || std::isnan(s) ? s : new_top;
    }
    const float c = twin::exp(top - new_top);
    std::array<float, 16> lane{};
    for (size_t j = first; j < last; ++j) {
      score[j - tile] = twin::exp(score[j - tile] - new_top);
      lane[j % 16] += score[j - tile];
    }
    sum = std::fma(sum, c, tree(lane));
    for (size_t d = 0; d < params.head_dim; ++d) {
      out[d] *= c;
      for (size_t j = first; j < last; ++j) out[d] = std::fma(score[j - tile], value(j)[d], out[d]);
    }
    top = new_top;
  }
  const float inverse = 1 / sum;
  for (size_t d = 0; d < params.head_dim; ++d) out[d] *= inverse;
}

}  // namespace assay::twin
