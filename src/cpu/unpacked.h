// Products of weights that stay in the file's layout: each block is taken apart by the quant table on its
// way.
#pragma once
#include <span>

#include "cpu/kernel_set.h"
#include "ops/tensor.h"

namespace assay::cpu {

/// acc (n_tokens, 16) = 16 rows of a weight from row tile * 16 times every token's row; rows past the last
/// count as zero. `rows` are what the type's activations say: f32, RoundedQ8_0 or RoundedQ8K.
void multiply_unpacked_tile(const KernelSet& kernels, const Weight& weight, size_t expert, size_t tile,
                            std::span<const void* const> rows, std::span<float> acc);

}  // namespace assay::cpu
