// Rotation frequencies from a model's RoPE settings: linear, llama-3 / LongRoPE factors, YaRN.
#pragma once
#include <optional>
#include <span>

#include "ops/tensor.h"

namespace assay {

/// Frequencies that turn more than beta_fast times over the original context stay, those below beta_slow
/// turns are divided by the factor, with a ramp between; `extrapolation` blends in how far that goes.
struct YarnSpec {
  double n_ctx_original = 0;
  double extrapolation = 1, beta_fast = 32, beta_slow = 1;
};

struct RopeSpec {
  size_t n_rot = 0;                     // rotated numbers of a head, even
  double base = 10000;                  // above 1
  double factor = 1;                    // context extension: linear and YaRN divide positions by it
  std::span<const float> factors = {};  // (n_rot / 2): each frequency is divided by its factor; empty: none
  double magnitude = 1;                 // multiplies the rotated numbers
  std::optional<YarnSpec> yarn = std::nullopt;
};

/// Source: Su et al. 2021 (RoPE); Peng et al. 2023 (YaRN), with the rounding of the correction range that
/// llama.cpp uses.
Rope make_rope(const RopeSpec& spec, Rope::Pairs pairs);

}  // namespace assay
