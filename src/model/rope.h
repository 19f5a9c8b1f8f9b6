// Rotation frequencies from a model's RoPE settings: linear, llama-3 / LongRoPE factors, YaRN.
#pragma once
#include <span>

#include "ops/tensor.h"

namespace assay {

struct RopeSpec {
  size_t n_rot = 0;  // rotated numbers of a head, even
  double base = 10000;
  double factor = 1;  // context extension: linear and YaRN divide positions by it
  bool yarn = false;
  double n_ctx_original = 0;  // YaRN: context length of the original training
  double extrapolation = 1, attention = 1, beta_fast = 32, beta_slow = 1;  // YaRN
  std::span<const float> factors;  // (n_rot / 2) each frequency is divided by its factor; empty: none
};

/// Source: Su et al. 2021 (RoPE); Peng et al. 2023 (YaRN), with the rounding of the correction range that
/// llama.cpp uses.
Rope make_rope(const RopeSpec& spec, Rope::Pairs pairs);

}  // namespace assay
