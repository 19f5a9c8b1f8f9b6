#include "diagnose/compare/storage_noise.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>

#include "diagnose/compare/moved_values.h"
#include "diagnose/inspect.h"
#include "quant/encode/encode.h"

namespace assay {
namespace {

/// Two floats that differ by a rounding are the same weight: a conversion may round once.
constexpr double kFloatRounding = 0x1p-23;
/// A stretch that the type holds better than the tensor as a whole (zeros, values on its grid) is expected to
/// have this share of the tensor's relative error.
constexpr double kLeastShare = 0.1;

std::vector<float> decode_row(const GgufFile& file, const TensorInfo& tensor, uint64_t row) {
  std::vector<float> values(tensor.n_cols());
  const size_t n_blocks = values.size() / tensor.type->block_elems;
  tensor.type->dequantize(file.data(tensor).data() + row * n_blocks * tensor.type->block_bytes, n_blocks,
                          values.data());
  return values;
}

std::vector<float> encode_error(const QuantType& type, const std::vector<float>& values,
                                std::span<const float> importance = {}) {
  const size_t n_blocks = values.size() / type.block_elems;
  std::vector<std::byte> blocks(n_blocks * type.block_bytes);
  encode_rows(type, values.data(), 1, values.size(), {importance, Effort::fast}, blocks.data());
  std::vector<float> error(values.size());
  type.dequantize(blocks.data(), n_blocks, error.data());
  for (size_t i = 0; i < error.size(); ++i) error[i] -= values[i];
  return error;
}

/// Encoders in use take the largest magnitude of a block for the scale of these types, whose three levels
/// then fit nothing but ternary weights (llama.cpp's quantize_row_tq1_0_ref and its kin): that error is
/// healthy too.
bool scaled_by_largest(const QuantType& type) {
  return type.name == "TQ1_0" || type.name == "TQ2_0" || type.name == "Q2_0";
}

std::vector<float> largest_magnitude_error(const QuantType& type, const std::vector<float>& values) {
  std::vector<float> error(values.size());
  for (size_t begin = 0; begin < values.size(); begin += type.block_elems) {
    float d = 0;
    for (size_t i = begin; i < begin + type.block_elems; ++i) d = std::max(d, std::abs(values[i]));
    for (size_t i = begin; i < begin + type.block_elems; ++i)
      error[i] = d > 0 ? d * std::round(values[i] / d) - values[i] : 0;
  }
  return error;
}

struct Stretch {
  double observed = 0, expected = 0, norm = 0;  // sums of squares
  double allowed = 0;                           // as expected, of the healthy encoder that errs most
  double log_ratio = 0;
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ptrdiff_t(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// z with P(Z > z) = p, by the tail's own bounds: solves p = erfc(z / sqrt 2) / 2.
double normal_quantile(double p) {
  double low = 0, high = 40;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(middle / std::sqrt(2.0)) > p ? low : high) = middle;
  }
  return high;
}

/// Sums of one row, added up in order afterwards, so that the result does not depend on the threads.
struct RowSums {
  std::vector<Stretch> stretches;
  double ab = 0, bb = 0;
  uint64_t n_not_finite = 0;
  std::exception_ptr error;
};

RowSums sum_row(const GgufFile& anchor_file, const TensorInfo& anchor, const GgufFile& file,
                const TensorInfo& tensor, uint64_t row, size_t stretch_cols,
                std::span<const float> importance) {
  RowSums sums;
  const RowNoise noise = row_noise(anchor_file, anchor, row, *tensor.type);
  const std::vector<float> stored = decode_row(file, tensor, row);
  sums.stretches.resize((stored.size() + stretch_cols - 1) / stretch_cols);
  std::vector<std::vector<float>> others;  // errors of other healthy encoders
  if (!importance.empty())
    others.push_back(encode_error(*tensor.type, noise.values,
                                  importance.subspan(row / tensor.dims[1] * stored.size(), stored.size())));
  if (scaled_by_largest(*tensor.type)) others.push_back(largest_magnitude_error(*tensor.type, noise.values));
  std::vector<double> other_sums(others.size() * sums.stretches.size());
  for (size_t i = 0; i < stored.size(); ++i) {
    const double x = double(noise.values[i]), y = double(stored[i]), e = double(noise.encoded[i]);
    if (!std::isfinite(y)) {
      ++sums.n_not_finite;
      continue;
    }
    Stretch& s = sums.stretches[i / stretch_cols];
    s.observed += (y - x) * (y - x);
    const double least = noise.anchor_rms * noise.anchor_rms + kFloatRounding * kFloatRounding * x * x;
    s.expected += e * e + least;
    for (size_t o = 0; o < others.size(); ++o)
      other_sums[o * sums.stretches.size() + i / stretch_cols] +=
          double(others[o][i]) * double(others[o][i]) + least;
    s.norm += x * x;
    sums.ab += x * y;
    sums.bb += y * y;
  }
  for (size_t k = 0; k < sums.stretches.size(); ++k) {
    sums.stretches[k].allowed = sums.stretches[k].expected;
    for (size_t o = 0; o < others.size(); ++o)
      sums.stretches[k].allowed =
          std::max(sums.stretches[k].allowed, other_sums[o * sums.stretches.size() + k]);
  }
  return sums;
}

void judge_stretches(TensorJudgement& j, std::vector<Stretch>& stretches, size_t n_per_row,
                     size_t stretch_cols, double expected_rms) {
  std::vector<double> logs;
  for (Stretch& s : stretches) {
    const double allowed = std::max(s.allowed, std::pow(kLeastShare * expected_rms, 2) * s.norm);
    if (allowed > 0)
      s.log_ratio = s.observed > 0 ? 0.5 * std::log(s.observed / allowed) : -10;
    else
      s.log_ratio = s.observed > 0 ? 50 : -10;  // zeros must stay zeros
    logs.push_back(s.log_ratio);
  }
  const double m = median(logs);
  std::vector<double> deviations;
  for (const double v : logs) deviations.push_back(std::abs(v - m));
  const double spread = 1.4826 * median(std::move(deviations));
  const double z = normal_quantile(1e-6 / double(stretches.size()));
  // A tensor that is better than it must be does not make its stretches faults.
  const double limit = std::max(m, 0.0) + std::max(z * spread, std::log(TensorJudgement::kLeastStretchLimit));
  j.n_stretches = stretches.size();
  j.stretch_limit = std::exp(limit);
  double worst = -INFINITY;
  for (size_t i = 0; i < stretches.size(); ++i) {
    j.n_standing_out += stretches[i].log_ratio > limit;
    if (stretches[i].log_ratio <= worst) continue;
    worst = stretches[i].log_ratio;
    j.worst_row = i / n_per_row;
    j.worst_col = i % n_per_row * stretch_cols;
  }
  j.worst_ratio = std::exp(worst);
}

}  // namespace

RowNoise row_noise(const GgufFile& anchor_file, const TensorInfo& anchor, uint64_t row,
                   const QuantType& type) {
  RowNoise noise;
  noise.values = decode_row(anchor_file, anchor, row);
  noise.encoded = encode_error(type, noise.values);
  if (anchor.type->name == "F32") return noise;
  std::vector<float> mixed = decode_row(anchor_file, anchor, (row + 1) % anchor.n_rows());
  if (anchor.n_rows() == 1) std::reverse(mixed.begin(), mixed.end());
  for (size_t i = 0; i < mixed.size(); ++i) mixed[i] = (mixed[i] + noise.values[i]) * float(M_SQRT1_2);
  double squares = 0;
  for (const float e : encode_error(*anchor.type, mixed)) squares += double(e) * double(e);
  noise.anchor_rms = std::sqrt(squares / double(mixed.size()));
  return noise;
}

TensorJudgement judge_tensor(const GgufFile& anchor_file, const TensorInfo& anchor, const GgufFile& file,
                             const TensorInfo& tensor, ThreadPool& pool, std::span<const float> importance) {
  TensorJudgement j;
  j.name = std::string(tensor.name);
  j.type = tensor.type;
  j.n_values = tensor.n_elements;
  if (!std::equal(anchor.dims, anchor.dims + 4, tensor.dims)) {
    j.ratio = INFINITY;
    j.fault = fmt::format("its shape is {}, the anchor's {}", shape_text(tensor), shape_text(anchor));
    return j;
  }
  const size_t stretch_cols = std::max<size_t>(256, tensor.type->block_elems);
  const size_t n_per_row = (tensor.n_cols() + stretch_cols - 1) / stretch_cols;
  std::vector<RowSums> rows(tensor.n_rows());
  pool.run(rows.size(), [&](size_t row) {
    try {
      rows[row] = sum_row(anchor_file, anchor, file, tensor, row, stretch_cols, importance);
    } catch (...) {
      rows[row].error = std::current_exception();
    }
  });
  std::vector<Stretch> stretches;
  double observed = 0, expected = 0, allowed = 0, norm = 0, ab = 0, bb = 0;
  for (size_t row = 0; row < rows.size(); ++row) {
    if (rows[row].error) try {
        std::rethrow_exception(rows[row].error);
      } catch (const NotFinite& error) {
        j.ratio = INFINITY;
        j.fault = fmt::format("the anchor's row {}, column {} is no number", row, error.col);
        return j;
      }
    j.n_not_finite += rows[row].n_not_finite;
    ab += rows[row].ab;
    bb += rows[row].bb;
    for (const Stretch& s : rows[row].stretches) {
      observed += s.observed;
      expected += s.expected;
      allowed += s.allowed;
      norm += s.norm;
      stretches.push_back(s);
    }
  }
  if (norm > 0) {
    j.relative_rms = std::sqrt(observed / norm);
    j.expected_rms = std::sqrt(expected / norm);
    j.allowed_rms = std::sqrt(allowed / norm);
  }
  j.ratio = expected > 0 ? std::sqrt(observed / expected) : observed > 0 ? INFINITY : 1;
  const bool too_far = observed > TensorJudgement::kHealthyRatio * TensorJudgement::kHealthyRatio * allowed;
  j.cosine = norm > 0 && bb > 0 ? ab / std::sqrt(norm * bb) : norm > 0 || bb > 0 ? 0 : 1;
  judge_stretches(j, stretches, n_per_row, stretch_cols, j.expected_rms);

  if (j.n_not_finite > 0) {
    j.fault = fmt::format("{} of its values are no numbers", j.n_not_finite);
  } else if (too_far && j.n_standing_out * 4 < j.n_stretches && j.n_standing_out > 0) {
    j.fault = fmt::format("{} of {} stretches of {} values are wrong, the worst from row {}, column {} on",
                          j.n_standing_out, j.n_stretches, std::min<uint64_t>(stretch_cols, tensor.n_cols()),
                          j.worst_row, j.worst_col);
  } else if (too_far) {
    const std::string moved = explain_values(anchor_file, anchor, file, tensor);
    j.fault = fmt::format("off by {:.3g} of its norm where {} must give {:.3g}{}{}", j.relative_rms,
                          tensor.type->name, j.expected_rms, moved.empty() ? "" : ": ", moved);
  } else if (j.n_standing_out > 0) {
    j.fault = fmt::format(
        "{} of {} stretches of {} values stand out, the worst, {:.3g} times what {} must give, from row {}, "
        "column {} on",
        j.n_standing_out, j.n_stretches, std::min<uint64_t>(stretch_cols, tensor.n_cols()), j.worst_ratio,
        tensor.type->name, j.worst_row, j.worst_col);
  }
  return j;
}

}  // namespace assay
