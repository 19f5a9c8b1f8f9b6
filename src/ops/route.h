// The choice of experts from router logits, shared by the evaluators that work in f32.
#pragma once
#include "ops/ops.h"

namespace assay {

/// Fills the rows of `routing` that start at token `token` from one token's logits. f64 throughout; ties to
/// the lower id. `routing.experts` and `.weights` have room for (token + 1) * n_used entries; `scratch` has
/// n_experts.
void route_token(Routing& routing, size_t token, std::span<const float> logits, const RouteParams& params,
                 std::span<int32_t> scratch) noexcept;

}  // namespace assay
