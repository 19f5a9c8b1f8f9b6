#include "diagnose/weights/block_parts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace assay {
namespace {

/// A sub-block, its right numbers and what was dumped.
struct SubBlock {
  double step, d, scale, dmin, min;  // step = d * scale
  std::span<const int8_t> q;
  std::span<const float> dumped, truth, slack;
  DumpRounding rounding;

  bool wrong(size_t i) const { return !agrees(dumped[i], truth[i], slack[i], rounding); }
  /// Whether d * scale * q - dmin * min with another scale and min gives all that was dumped. `looser` widens
  /// the bound for numbers that were themselves taken from rounded weights.
  bool gives(double new_step, double new_offset, double looser) const {
    for (size_t i = 0; i < q.size(); ++i) {
      const double w = new_step * q[i] - new_offset;
      const double bound = kFourU * (std::fabs(new_step * q[i]) + std::fabs(new_offset)) + looser;
      if (!agrees(dumped[i], float(w), float(bound), rounding)) return false;
    }
    return true;
  }
  /// What a step of the dump's numbers is at most.
  double resolution() const {
    double largest = 0;
    for (const float v : dumped)
      if (std::isfinite(v)) largest = std::max(largest, std::fabs(double(v)));
    const double bits = rounding == DumpRounding::none  ? 0x1p-22
                        : rounding == DumpRounding::f16 ? 0x1p-10
                                                        : 0x1p-7;
    return largest * bits;
  }
};

struct Explained {
  BlockPart part;
  double read = 0;   // scale, min
  double ratio = 0;  // of the scales
};

/// `value` as a whole number when it is one up to what the dump can tell, else as it is.
double whole_if_near(double value) {
  return std::fabs(value - std::round(value)) <= 0.05 ? std::round(value) : value;
}

std::optional<Explained> explain_scale(const SubBlock& s) {
  const size_t at =
      size_t(std::ranges::max_element(s.q, {}, [](int8_t q) { return std::abs(int(q)); }) - s.q.begin());
  if (s.q[at] == 0 || s.d == 0) return std::nullopt;
  const double offset = s.dmin * s.min, step = (double(s.dumped[at]) + offset) / s.q[at];
  for (const double scale : {whole_if_near(step / s.d), step / s.d})
    if (s.gives(s.d * scale, offset, scale == step / s.d ? s.resolution() : 0))
      return Explained{BlockPart::scale, scale, s.scale != 0 ? scale / s.scale : 0};
  return std::nullopt;
}

std::optional<Explained> explain_min(const SubBlock& s) {
  if (s.dmin == 0) return std::nullopt;
  const size_t at =
      size_t(std::ranges::min_element(s.dumped, {}, [](float w) { return std::fabs(w); }) - s.dumped.begin());
  const double offset = s.step * s.q[at] - double(s.dumped[at]);
  for (const double min : {whole_if_near(offset / s.dmin), offset / s.dmin})
    if (s.gives(s.step, s.dmin * min, min == offset / s.dmin ? s.resolution() : 0))
      return Explained{BlockPart::min, min};
  return std::nullopt;
}

/// Any line through the smallest and the largest code.
std::optional<Explained> explain_line(const SubBlock& s) {
  const auto [low, high] = std::ranges::minmax_element(s.q);
  if (*low == *high || s.d == 0) return std::nullopt;
  const double w_low = s.dumped[size_t(low - s.q.begin())], w_high = s.dumped[size_t(high - s.q.begin())];
  const double step = (w_high - w_low) / (*high - *low);
  if (s.gives(step, step * *low - w_low, s.resolution()))
    return Explained{BlockPart::scale_and_min, step / s.d};
  return std::nullopt;
}

std::optional<Explained> explain_codes(const SubBlock& s, std::map<int, size_t>& errors) {
  if (s.step == 0) return std::nullopt;
  std::map<int, size_t> found;
  for (size_t i = 0; i < s.q.size(); ++i) {
    if (!s.wrong(i)) continue;
    const double offset = s.dmin * s.min, q = std::round((double(s.dumped[i]) + offset) / s.step);
    const double bound = kFourU * (std::fabs(s.step * q) + std::fabs(offset));
    if (!(std::fabs(q) <= 512) || !agrees(s.dumped[i], float(s.step * q - offset), float(bound), s.rounding))
      return std::nullopt;
    ++found[int(q) - s.q[i]];
  }
  for (const auto& [error, n] : found) errors[error] += n;
  return Explained{BlockPart::codes};
}

bool same_numbers(std::span<const float> a, std::span<const float> b, DumpRounding rounding, double slack) {
  std::vector<float> x(a.begin(), a.end()), y(b.begin(), b.end());
  const auto less = [](float p, float q) { return std::isnan(q) ? !std::isnan(p) : p < q; };
  std::ranges::sort(x, less);
  std::ranges::sort(y, less);
  for (size_t i = 0; i < x.size(); ++i)
    if (!agrees(x[i], y[i], float(slack), rounding)) return false;
  return true;
}

}  // namespace

std::string_view part_name(BlockPart part) noexcept {
  constexpr std::string_view kNames[] = {
      "d", "scale", "min", "scale and min", "codes", "order", "none of scale, min and codes"};
  return kNames[size_t(part)];
}

PartCounts explain_blocks(const JudgedWeights& judged, const Decoded& truth, std::span<const size_t> blocks,
                          DumpRounding rounding) {
  const QuantType& type = *judged.tensor.info.type;
  const size_t n_sub = type.block_elems / type.sub_elems;
  PartCounts counts;
  for (const size_t block : blocks) {
    IntegerBlock b;
    type.integers(judged.blocks().data() + block * type.block_bytes, b);
    const size_t begin = block * type.block_elems;
    const auto part_of = [&](const auto& all, size_t first, size_t n) {
      return std::span<const float>(all).subspan(begin + first, n);
    };
    std::array<std::optional<Explained>, 16> explained;
    std::map<int, size_t> code_errors;
    size_t n_wrong = 0, n_scaled = 0;
    double ratio = 0;
    bool one_ratio = true;
    for (size_t s = 0; s < n_sub; ++s) {
      const size_t first = s * type.sub_elems;
      const SubBlock sub{double(b.d) * b.scale[s],
                         b.d,
                         double(b.scale[s]),
                         type.has_mins ? b.dmin : 0.0,
                         double(b.min[s]),
                         std::span<const int8_t>(b.q).subspan(first, type.sub_elems),
                         part_of(judged.dumped, first, type.sub_elems),
                         part_of(truth.values, first, type.sub_elems),
                         part_of(truth.slack, first, type.sub_elems),
                         rounding};
      bool any_wrong = false;
      for (size_t i = 0; i < sub.q.size(); ++i) any_wrong = any_wrong || sub.wrong(i);
      if (!any_wrong) continue;
      ++n_wrong;
      explained[s] = explain_scale(sub);
      if (!explained[s]) explained[s] = explain_min(sub);
      if (!explained[s]) explained[s] = explain_codes(sub, code_errors);
      if (!explained[s]) explained[s] = explain_line(sub);
      if (!explained[s]) explained[s] = Explained{BlockPart::other};
      if (explained[s]->part == BlockPart::scale && explained[s]->ratio != 0) {
        one_ratio = one_ratio && (n_scaled == 0 || std::fabs(explained[s]->ratio / ratio - 1) < 1e-2);
        ratio = explained[s]->ratio;
        ++n_scaled;
      }
    }
    // Codes can imitate an order, an order cannot imitate codes: the block's numbers are then all there.
    const bool is_order =
        same_numbers(part_of(judged.dumped, 0, type.block_elems), part_of(truth.values, 0, type.block_elems),
                     rounding, *std::ranges::max_element(part_of(truth.slack, 0, type.block_elems)));
    const bool is_d = n_scaled == n_wrong && one_ratio && n_wrong * 2 > n_sub && (n_sub == 1 || n_wrong > 1);
    if (!is_order)
      for (const auto& [error, n] : code_errors) counts.code_errors[error] += n;
    for (size_t s = 0; s < n_sub; ++s) {
      if (!explained[s]) continue;
      const BlockPart part = is_order ? BlockPart::order : is_d ? BlockPart::d : explained[s]->part;
      ++counts.n_sub_blocks[part];
      counts.sub_blocks[part].insert(s);
      const double stored = part == BlockPart::min ? b.min[s]
                            : part == BlockPart::d ? double(b.d)
                                                   : double(b.scale[s]);
      const double read = part == BlockPart::d ? b.d * ratio : explained[s]->read;
      counts.examples.try_emplace(part, PartCounts::Example{block, s, read, stored});
    }
  }
  return counts;
}

}  // namespace assay
