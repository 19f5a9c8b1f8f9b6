// What kernels/avx512bf16.cpp gives; safe to call only where the processor has AVX-512 with VNNI and BF16.
#pragma once
#include "cpu/kernel_set.h"

namespace assay::cpu {

/// BF16 weights times f32 rows, by the BF16 dot (docs/arithmetic.md).
void product_bf16_dot(const TileJob& job) noexcept;
/// Does the instruction round as the specification says? Its manual leaves open whether a product that leaves
/// f32's range is fused.
bool bf16_dot_is_as_specified() noexcept;

}  // namespace assay::cpu
