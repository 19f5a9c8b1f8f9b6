#include "diagnose/inspect.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/nearest_name.h"

namespace assay {
namespace {

/// Dequantizes whole blocks of a tensor in turn.
class Values {
 public:
  Values(const GgufFile& file, const TensorInfo& tensor)
      : type_(*tensor.type), bytes_(file.data(tensor)), n_left_(tensor.n_elements) {}

  /// Fills `out` (whole blocks of any type: see kChunk); the number of values, 0 at the end.
  size_t next(std::span<float> out) {
    const size_t n = size_t(std::min<uint64_t>(out.size(), n_left_));
    const size_t n_blocks = n / type_.block_elems;
    type_.dequantize(bytes_.data(), n_blocks, out.data());
    bytes_ = bytes_.subspan(n_blocks * type_.block_bytes);
    n_left_ -= n;
    return n;
  }

 private:
  const QuantType& type_;
  std::span<const std::byte> bytes_;
  uint64_t n_left_;
};

constexpr size_t kChunk = 1 << 14;  // a multiple of every block size

/// visit(value) for every value of the tensor, in order.
template <class Visit>
void for_each_value(const GgufFile& file, const TensorInfo& tensor, const Visit& visit) {
  Values values(file, tensor);
  std::vector<float> chunk(kChunk);
  while (const size_t n = values.next(chunk))
    for (size_t i = 0; i < n; ++i) visit(double(chunk[i]));
}

}  // namespace

const TensorInfo& need_tensor(const GgufFile& file, std::string_view name) {
  if (const TensorInfo* tensor = file.find(name)) return *tensor;
  std::string problem = printable(file.path(), 1000) + ": has no tensor \"" + printable(name) + "\"";
  const std::string_view nearest =
      nearest_name(name, file.tensors(), [](const TensorInfo& t) { return t.name; });
  if (!nearest.empty()) problem += "; the nearest name is \"" + printable(nearest) + "\"";
  throw UsageError(problem);
}

TensorStats measure_tensor(const GgufFile& file, const TensorInfo& tensor) {
  TensorStats s;
  s.n_values = tensor.n_elements;
  uint64_t n_finite = 0;
  double sum = 0;
  for_each_value(file, tensor, [&](double x) {
    if (std::isfinite(x)) {
      s.min = n_finite == 0 ? x : std::min(s.min, x);
      s.max = n_finite == 0 ? x : std::max(s.max, x);
      sum += x;
      ++n_finite;
      s.n_zero += x == 0;
    } else if (std::isnan(x)) {
      ++s.n_nan;
    } else {
      ++s.n_inf;
    }
  });
  if (n_finite == 0) return s;
  s.mean = sum / double(n_finite);
  double squares = 0;
  const double bins_per_unit = s.max > s.min ? double(TensorStats::kBins) / (s.max - s.min) : 0;
  for_each_value(file, tensor, [&](double x) {
    if (!std::isfinite(x)) return;
    squares += (x - s.mean) * (x - s.mean);
    ++s.histogram[std::min(size_t((x - s.min) * bins_per_unit), TensorStats::kBins - 1)];
  });
  s.std = std::sqrt(squares / double(n_finite));
  return s;
}

BlockView view_block(const GgufFile& file, const TensorInfo& tensor, uint64_t index) {
  const QuantType& type = *tensor.type;
  const uint64_t n_blocks = tensor.n_elements / type.block_elems;
  if (index >= n_blocks)
    throw UsageError("--block: " + std::to_string(index) + " is not in " + printable(tensor.name) +
                     ", which has " + std::to_string(n_blocks) + " blocks");
  BlockView view;
  view.index = index;
  view.row = index * type.block_elems / tensor.n_cols();
  view.col = index * type.block_elems % tensor.n_cols();
  view.file_offset = tensor.file_offset + index * type.block_bytes;
  view.bytes = file.data(tensor).subspan(size_t(index) * type.block_bytes, type.block_bytes);
  if (type.integers) type.integers(view.bytes.data(), view.integers.emplace());
  view.values.resize(type.block_elems);
  type.dequantize(view.bytes.data(), 1, view.values.data());
  return view;
}

TensorDifference compare_tensors(const GgufFile& a_file, const TensorInfo& a, const GgufFile& b_file,
                                 const TensorInfo& b) {
  if (!std::equal(a.dims, a.dims + 4, b.dims))
    throw UsageError(printable(a.name) + " is " + shape_text(a) + " in one file and " + shape_text(b) +
                     " in the other");
  TensorDifference d;
  d.n_values = a.n_elements;
  Values a_values(a_file, a), b_values(b_file, b);
  std::vector<float> a_chunk(kChunk), b_chunk(kChunk);
  double aa = 0, bb = 0, ab = 0, dd = 0;
  uint64_t index = 0;
  while (const size_t n = a_values.next(a_chunk)) {
    b_values.next(b_chunk);
    for (size_t i = 0; i < n; ++i, ++index) {
      const double x = double(a_chunk[i]), y = double(b_chunk[i]);
      d.n_equal += x == y || (std::isnan(x) && std::isnan(y));
      if (!std::isfinite(x) || !std::isfinite(y)) {
        ++d.n_not_finite;
        continue;
      }
      aa += x * x;
      bb += y * y;
      ab += x * y;
      dd += (y - x) * (y - x);
      if (std::abs(y - x) > d.max_abs) {
        d.max_abs = std::abs(y - x);
        d.worst = index;
      }
    }
  }
  if (aa == 0 && bb == 0) return d;
  d.relative_rms = std::sqrt(dd / aa);  // infinite when a is 0
  d.norm_ratio = std::sqrt(bb / aa);
  d.cosine = aa == 0 || bb == 0 ? 0 : ab / std::sqrt(aa * bb);
  return d;
}

std::string shape_text(const TensorInfo& tensor) {
  std::string text = "(";
  for (size_t d = std::max<size_t>(tensor.n_dims, 1); d-- > 0;)
    text += std::to_string(tensor.dims[d]) + (d == 0 ? ")" : ", ");
  return text;
}

}  // namespace assay
