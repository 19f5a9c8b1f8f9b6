// A check of the BF16 dot (kernels/avx512bf16.cpp), safe to call only where the processor has it.
#pragma once

namespace assay::cpu {

/// Does the instruction round as docs/arithmetic.md says? Its manual leaves open whether a product that
/// leaves f32's range is fused.
bool bf16_dot_is_as_specified() noexcept;

}  // namespace assay::cpu
