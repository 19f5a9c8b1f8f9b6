#include "diagnose/weights/weights_finding.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "diagnose/weights/hypotheses.h"
#include "diagnose/weights/locate.h"

namespace assay {
namespace {

std::vector<uint64_t> shape_of(const TensorInfo& info) {
  std::vector<uint64_t> shape(info.dims, info.dims + info.n_dims);
  std::ranges::reverse(shape);
  return shape;
}

/// Shapes without dimensions of 1, which mean nothing.
std::vector<uint64_t> squeezed(std::vector<uint64_t> shape) {
  std::erase(shape, 1u);
  return shape;
}

[[noreturn]] void fail_shape(const StoredTensor& tensor, const Dump& dump, const DumpTensor& dumped,
                             uint64_t n_rows) {
  std::string fitting;
  for (const TensorInfo& other : tensor.file.tensors())
    if (other.n_elements == dumped.n_values && fitting.size() < 80)
      fitting += fmt::format("{}{}", fitting.empty() ? "" : ", ", printable(other.name));
  throw ShapeMismatch(
      dump.place(dumped),
      fmt::format(
          "shape {} has {} numbers; {} rows of {} {} have {}{}", shape_text(dumped.shape), dumped.n_values,
          n_rows, printable(tensor.info.name), shape_text(shape_of(tensor.info)),
          n_rows * tensor.info.n_cols(),
          fitting.empty() ? ": give --rows A:B when the dump has a part" : "; as many has " + fitting));
}

/// The dump's numbers for the rows asked for, and whether its shape says (cols, rows).
JudgedWeights read_dump(const StoredTensor& tensor, const Dump& dump, const DumpTensor& dumped,
                        std::optional<std::pair<uint64_t, uint64_t>> rows, bool& reversed) {
  const TensorInfo& info = tensor.info;
  if (info.n_elements == 0) throw UsageError(printable(info.name) + ": has no numbers");
  const uint64_t n_all = info.n_rows();
  const auto [begin, end] = rows.value_or(std::pair<uint64_t, uint64_t>{0, n_all});
  if (begin >= end || end > n_all)
    throw UsageError(
        fmt::format("--rows {}:{}: {} has rows 0 to {}", begin, end, printable(info.name), n_all - 1));
  const uint64_t n_cols = info.n_cols(), n_values = (end - begin) * n_cols;
  const bool is_whole = dumped.n_values == info.n_elements;
  if (dumped.n_values != n_values && !is_whole) fail_shape(tensor, dump, dumped, end - begin);
  JudgedWeights judged{tensor, begin, end - begin, std::vector<float>(n_values), {}, nullptr};
  dumped.read(is_whole ? begin * n_cols : 0, std::span(judged.dumped));
  judged.roundings = possible_roundings(dumped.type, judged.dumped);
  const std::vector<uint64_t> shape = squeezed(dumped.shape);
  reversed = shape.size() == 2 && is_whole && !rows && info.n_dims == 2 && shape[0] == n_cols &&
             shape[1] == n_all && n_cols != n_all;
  return judged;
}

void transpose(std::vector<float>& values, size_t n_rows, size_t n_cols) {
  std::vector<float> turned(values.size());
  for (size_t r = 0; r < n_rows; ++r)
    for (size_t c = 0; c < n_cols; ++c) turned[r * n_cols + c] = values[c * n_rows + r];
  values = std::move(turned);
}

struct Best {
  DumpRounding rounding = DumpRounding::none;
  size_t n_wrong = SIZE_MAX;
};
Best best_rounding(const JudgedWeights& judged, const Decoded& decoded) {
  Best best;
  for (const DumpRounding rounding : judged.roundings)
    if (const size_t n_wrong = count_wrong(judged, decoded, rounding, best.n_wrong); n_wrong < best.n_wrong)
      best = {rounding, n_wrong};
  return best;
}

std::string compared_text(const JudgedWeights& judged, const Decoded& truth, DumpRounding rounding,
                          size_t n_wrong) {
  double dot = 0, of_truth = 0, of_dump = 0, of_difference = 0, worst = 0;
  size_t n_not_finite = 0;
  const QuantType& type = *judged.tensor.info.type;
  IntegerBlock b;
  for (size_t i = 0; i < judged.dumped.size(); ++i) {
    const double w = truth.values[i], v = judged.dumped[i];
    if (type.integers && i % type.block_elems == 0)
      type.integers(judged.blocks().data() + i / type.block_elems * type.block_bytes, b);
    if (!std::isfinite(w) || !std::isfinite(v)) {
      ++n_not_finite;
      continue;
    }
    dot += w * v;
    of_truth += w * w;
    of_dump += v * v;
    of_difference += (v - w) * (v - w);
    if (!type.integers) continue;
    const double step = std::fabs(double(b.d) * b.scale[i % type.block_elems / type.sub_elems]);
    if (step > 0) worst = std::max(worst, std::fabs(v - w) / step);
  }
  const auto ratio = [](double a, double c) { return c > 0 ? a / c : a > 0 ? INFINITY : 1.0; };
  return fmt::format(
      "{} of {} numbers are right{}{}; cosine {:.6f}, norm ratio {:.6f}, relative RMS {:.3g}{}{}",
      judged.dumped.size() - n_wrong, judged.dumped.size(), rounding == DumpRounding::none ? "" : ", ",
      rounding_name(rounding),
      of_truth > 0 && of_dump > 0     ? dot / std::sqrt(of_truth * of_dump)
      : ratio(of_dump, of_truth) == 1 ? 1.0
                                      : 0.0,
      std::sqrt(ratio(of_dump, of_truth)), std::sqrt(ratio(of_difference, of_truth)),
      type.integers ? fmt::format(", worst error {:.4g} steps of d * scale", worst) : "",
      n_not_finite ? fmt::format("; {} pairs are not finite", n_not_finite) : "");
}

std::string place_of(const JudgedWeights& judged) {
  const TensorInfo& info = judged.tensor.info;
  std::string place = fmt::format("{}: {} {}, {}", printable(judged.tensor.file.path(info.part)),
                                  printable(info.name), shape_text(shape_of(info)), info.type->name);
  if (judged.n_rows != info.n_rows())
    place += fmt::format(", rows {}:{}", judged.first_row, judged.first_row + judged.n_rows);
  return place;
}

/// With no miss in n numbers that a healthy engine would have had otherwise: the rule of succession.
double confidence_of(size_t n_explained) {
  return double(n_explained + 1) / double(n_explained + 2);
}

void add_candidates(Finding& finding, const JudgedWeights& judged, const TriedHypothesis& tried,
                    size_t n_wrong_of_truth, double confidence) {
  const auto& [hypothesis, rounding, n_wrong] = tried;
  const std::string evidence =
      fmt::format("{} of {} numbers are what {} gives{}{}, among them {} of {} that are wrong",
                  judged.dumped.size() - n_wrong, judged.dumped.size(), hypothesis.name(),
                  rounding == DumpRounding::none ? "" : ", ", rounding_name(rounding),
                  n_wrong_of_truth - std::min(n_wrong, n_wrong_of_truth), n_wrong_of_truth);
  const bool is_pair = hypothesis.decoder && hypothesis.layout;
  for (const Fault* fault : {hypothesis.decoder, hypothesis.layout})
    if (fault) finding.candidates.push_back({fault, is_pair ? confidence / 2 : confidence, evidence});
}

/// One fault, or a shortlist, out of hypotheses that explain equally much.
void conclude(Finding& finding, const JudgedWeights& judged, std::span<const TriedHypothesis> best,
              size_t n_wrong_of_truth) {
  finding.verdict = best.size() == 1 ? Finding::Verdict::fault : Finding::Verdict::shortlist;
  const double left = double(best[0].n_wrong) / double(std::max<size_t>(n_wrong_of_truth, 1));
  for (const TriedHypothesis& tried : best)
    add_candidates(finding, judged, tried, n_wrong_of_truth,
                   (1 - left) * confidence_of(n_wrong_of_truth) / double(best.size()));
  if (best.size() == 1) {
    finding.next =
        fmt::format("Mend it and dump {} again; other tensors of type {} tell whether it was the only fault.",
                    printable(judged.tensor.info.name), judged.tensor.info.type->name);
    return;
  }
  const bool is_part = judged.n_rows < judged.tensor.info.n_rows();
  const std::string other = tensor_that_tells_apart(judged, best);
  finding.next = is_part ? "Dump the whole tensor: more blocks can tell these apart."
                 : other.empty()
                     ? "No small tensor of this file tells these apart; to the engine they are one fault."
                     : fmt::format("Dump {}: there the candidates differ.", printable(other));
  finding.refusals.push_back(
      fmt::format("which of the {} it is: on these bytes they give the same numbers", best.size()));
}

bool is_constant(const Decoded& truth) {
  return std::ranges::all_of(truth.values, [&](float w) { return w == truth.values[0]; });
}

void judge_wrong(Finding& finding, const JudgedWeights& judged, const Decoded& truth, const Best& healthy) {
  // What a hypothesis leaves open may be arithmetic of the engine in few numbers, never in a hundredth of
  // what it explains.
  constexpr size_t kLeftOpen = 100;
  std::vector<TriedHypothesis> tried = try_single_faults(judged, truth);
  if (tried.empty() || tried[0].n_wrong > 0) {
    const auto pairs = try_pairs(judged, truth);
    if (judged.tensor.info.n_elements > kMostPairElements)
      finding.refusals.push_back(
          "a decoder fault together with a layout fault: the tensor is too large to try all pairs");
    if (!pairs.empty()) return conclude(finding, judged, pairs, healthy.n_wrong);
  }
  if (!tried.empty() && tried[0].n_wrong * kLeftOpen <= healthy.n_wrong) {
    const size_t n_best = size_t(std::ranges::count(tried, tried[0].n_wrong, &TriedHypothesis::n_wrong));
    conclude(finding, judged, std::span(tried).first(n_best), healthy.n_wrong);
    if (tried[0].n_wrong > 0)
      finding.refusals.push_back(fmt::format(
          "why {} numbers are still wrong: rounding of the engine, or a second fault", tried[0].n_wrong));
    return;
  }
  finding.verdict = Finding::Verdict::unknown_fault;
  const WrongPart part = locate_wrong_part(judged, truth, healthy.rounding);
  finding.place += "; " + part.place;
  finding.figures.insert(finding.figures.end(), part.figures.begin(), part.figures.end());
  if (!tried.empty() && tried[0].n_wrong < healthy.n_wrong)
    finding.figures.push_back(fmt::format("nearest known fault: {}, which leaves {} of {} numbers wrong",
                                          tried[0].hypothesis.name(), tried[0].n_wrong,
                                          judged.dumped.size()));
  finding.refusals.push_back(fmt::format(
      "a name: none of {} faults of decoder and layout that touch this tensor gives these numbers",
      tried.size()));
  finding.next =
      "Look at the code that reads the bytes named above; then dump another tensor of the same type to see "
      "whether it is wrong too.";
}

}  // namespace

Finding judge_weights(const StoredTensor& tensor, const Dump& dump, const DumpTensor& dumped,
                      std::optional<std::pair<uint64_t, uint64_t>> rows, const Fault* hidden) {
  bool reversed = false;
  JudgedWeights judged = read_dump(tensor, dump, dumped, rows, reversed);
  judged.hidden = hidden;
  const Decoded truth = decode_truth(judged);
  Best healthy = best_rounding(judged, truth);
  Finding finding;
  if (reversed) {
    JudgedWeights turned = judged;
    transpose(turned.dumped, turned.n_rows, turned.n_cols());
    const Best other = best_rounding(turned, truth);
    // The file's own order of dimensions, or a transposed array: the numbers decide.
    if (other.n_wrong < healthy.n_wrong) {
      judged.dumped = std::move(turned.dumped);
      healthy = other;
      finding.figures.push_back("the dump has shape (cols, rows), and is transposed accordingly");
    } else {
      finding.figures.push_back(
          "the dump's shape says (cols, rows), as the file's dims do; its numbers are taken row by row");
    }
  }
  finding.place = place_of(judged);
  finding.figures.push_back(compared_text(judged, truth, healthy.rounding, healthy.n_wrong));
  finding.refusals.push_back(
      "anything from cosine, norm and RMS alone: right numbers of the same bytes are equal");
  if (healthy.n_wrong == 0) {
    if (is_constant(truth)) {
      finding.verdict = Finding::Verdict::not_enough_data;
      finding.refusals.push_back(
          fmt::format("that the decoder is right: all {} numbers are {}, which most wrong decoders give too",
                      truth.values.size(), truth.values[0]));
      finding.next = "Dump a tensor, or rows, whose numbers differ.";
      return finding;
    }
    finding.verdict = Finding::Verdict::no_fault;
    size_t n_alike = 0;
    for (const TriedHypothesis& tried : try_single_faults(judged, truth)) n_alike += tried.n_wrong == 0;
    if (n_alike > 0)
      finding.refusals.push_back(
          fmt::format("that {} faults are absent: after the rounding they give these numbers too", n_alike));
    finding.next = "The weights are right: look at tokens, then at intermediates (--trace).";
    return finding;
  }
  judge_wrong(finding, judged, truth, healthy);
  return finding;
}

}  // namespace assay
