#include "ops/route.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace assay {

void route_token(Routing& routing, size_t token, std::span<const float> logits, const RouteParams& p,
                 std::span<int32_t> order) noexcept {
  // A NaN compares as lowest, so that a damaged router still gives an order; the NaN shows in the weights'
  // total.
  const auto key = [&](int32_t e) {
    const float x = logits[size_t(e)];
    return std::isnan(x) ? -HUGE_VAL : double(x);
  };
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + ptrdiff_t(p.n_used), order.end(),
                    [&](int32_t a, int32_t b) { return key(a) != key(b) ? key(a) > key(b) : a < b; });
  const double top = logits[size_t(order[0])];
  double total = 0;
  if (p.order == RouteParams::Order::softmax_then_top) {
    for (const float x : logits) total += std::exp(double(x) - top);
  } else {
    for (size_t s = 0; s < p.n_used; ++s) total += std::exp(double(logits[size_t(order[s])]) - top);
  }
  double chosen = 0;
  int32_t* const experts = routing.experts.data() + token * p.n_used;
  double* const weights = routing.weights.data() + token * p.n_used;
  for (size_t s = 0; s < p.n_used; ++s) {
    experts[s] = order[s];
    chosen += weights[s] = std::exp(double(logits[size_t(order[s])]) - top) / total;
  }
  for (size_t s = 0; s < p.n_used; ++s) weights[s] *= p.scale / (p.normalize ? chosen : 1.0);
}

}  // namespace assay
