// What storing an anchor's values in a type must do to them: the yardstick of compare and check.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "gguf/gguf.h"

namespace assay {

/// The noise of one row: what our own encoder makes of the anchor's values, and how well the anchor knows
/// them.
struct RowNoise {
  std::vector<float> values;   // the anchor's
  std::vector<float> encoded;  // error: decode(encode(values)) - values
  /// RMS error of the anchor itself: that of encoding, in the anchor's type, the mean of this row and the
  /// next, which has the same scale and lies on no grid. 0 where the anchor is F32.
  double anchor_rms = 0;
};
/// Row `row` of `anchor` stored in `type`, whose blocks divide it. Throws NotFinite.
RowNoise row_noise(const GgufFile& anchor_file, const TensorInfo& anchor, uint64_t row,
                   const QuantType& type);

/// A tensor of a file beside the same tensor of an anchor.
///
/// The ratio is the RMS of (file - anchor) over the RMS that the type must have: sqrt(e^2 + a^2), e our
/// encoder's error (effort fast), a the anchor's own. Healthy encoders differ from ours by a factor: over all
/// types, our three efforts and llama.cpp's encoder, on trained and on random weights, it is at most 1.1
/// (storage_noise_test.cpp; that an encoder may look at an importance matrix, or take the largest magnitude
/// for a ternary scale, is allowed for by running it so). The mildest encoder and decoder faults on record
/// give 1.7 (an offset of half a step in Q4_0) and more. The limit lies between the two, kHealthyRatio.
///
/// A fault may be in one block: the tensor is also judged in stretches of 256 values (or one block, or a row,
/// if that is longer or the row is shorter). Their log ratios give median m and spread s (1.4826 * the median
/// absolute deviation); one stands out when its log ratio exceeds m + max(z * s, log kLeastStretchLimit), z
/// the normal quantile of 1e-6 / stretches, so that healthy rows of any shape calibrate their own limit. A
/// stretch of strangers gives sqrt(2) over the type's relative error: 20 for Q4_K, 5 for Q2_K, 2.7 for IQ1_S.
/// Where the error is larger still (Q1_0; ternary types, of which encoders that take the largest magnitude
/// keep nearly nothing of a normal weight) one wrong stretch is not told from noise, only a wrong tensor is.
struct TensorJudgement {
  static constexpr double kHealthyRatio = 1.43, kLeastStretchLimit = 2.5;

  std::string name;
  const QuantType* type = nullptr;
  uint64_t n_values = 0, n_not_finite = 0;
  double relative_rms = 0;  // of file - anchor, over the anchor's norm
  double expected_rms = 0;  // the same of what the type must have
  double allowed_rms = 0;   // the same of the healthy encoder that errs most
  double ratio = 1;         // of the two; 1 when both are 0, infinite when only what must be is
  double cosine = 1;
  uint64_t n_stretches = 0, n_standing_out = 0;
  uint64_t worst_row = 0, worst_col = 0;  // where the stretch begins that stands out most
  double worst_ratio = 1, stretch_limit = 0;
  /// What is wrong, with its figures; empty: within what the type must have. Names factors, transposes, moved
  /// rows and shifts where it finds one.
  std::string fault;
};

/// Judges `tensor` of `file` by `anchor`; rows on all threads. Shapes may differ: that is a fault.
/// `importance`: of the columns, (n_experts, n_cols), to allow for an encoder that weighed its errors so; may
/// be empty.
TensorJudgement judge_tensor(const GgufFile& anchor_file, const TensorInfo& anchor, const GgufFile& file,
                             const TensorInfo& tensor, ThreadPool& pool,
                             std::span<const float> importance = {});

}  // namespace assay
