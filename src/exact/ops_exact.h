// The exact evaluator: weights by the plain decoder, everything else in f64, no rounding of activations. The
// truth about a file: slow, short, obviously right.
#pragma once
#include <memory>

#include "base/thread_pool.h"
#include "ops/ops.h"

namespace assay {

/// `pool` outlives the result. Its threads share out rows; the result does not depend on their number.
std::unique_ptr<Ops> make_exact_ops(ThreadPool& pool);

}  // namespace assay
