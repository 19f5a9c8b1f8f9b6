// The twin evaluator: a scalar model of the fast CPU arithmetic (docs/arithmetic.md). Every CPU kernel equals
// it bit for bit.
#pragma once
#include <memory>

#include "base/thread_pool.h"
#include "ops/ops.h"

namespace assay {

/// `pool` outlives the result. Its threads share out rows; the result does not depend on their number.
std::unique_ptr<Ops> make_twin_ops(ThreadPool& pool);
/// The model of a CPU evaluator that multiplies BF16 weights by the BF16 dot.
std::unique_ptr<Ops> make_bf16_twin_ops(ThreadPool& pool);

}  // namespace assay
