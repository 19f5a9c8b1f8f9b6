#include "diagnose/weights/hypotheses.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "diagnose/faults/held_weights.h"

namespace assay {
namespace {

/// The largest slack of the right weights: a layout only moves them.
float largest_slack(const Decoded& truth) {
  float largest = 0;
  for (const float slack : truth.slack)
    if (std::isfinite(slack)) largest = std::max(largest, slack);
  return largest;
}

Decoded decode_layout(const JudgedWeights& judged, const LayoutFault& layout, const QuantType& type,
                      float slack_with_mins, std::vector<float>& whole) {
  TensorInfo info = judged.tensor.info;
  info.type = &type;
  whole.resize(info.n_elements);
  layout.decode({judged.tensor.file, info, judged.tensor.hparams}, whole);
  const auto rows =
      std::span<const float>(whole).subspan(judged.first_row * judged.n_cols(), judged.dumped.size());
  Decoded decoded{{rows.begin(), rows.end()}, std::vector<float>(rows.size())};
  for (size_t i = 0; i < rows.size(); ++i)
    decoded.slack[i] = std::max(type.has_mins ? slack_with_mins : 0, kFourU * std::fabs(rows[i]));
  return decoded;
}

bool same_values(const std::vector<float>& a, const std::vector<float>& b) {
  return std::ranges::equal(a, b,
                            [](float x, float y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

TriedHypothesis best_rounding(const JudgedWeights& judged, const Decoded& decoded, Hypothesis hypothesis) {
  TriedHypothesis best{hypothesis, DumpRounding::none, SIZE_MAX};
  for (const DumpRounding rounding : judged.roundings)
    if (const size_t n_wrong = count_wrong(judged, decoded, rounding, best.n_wrong); n_wrong < best.n_wrong)
      best = {hypothesis, rounding, n_wrong};
  return best;
}

/// What a hypothesis makes of a whole tensor; nullopt when it does not touch it.
std::optional<std::vector<float>> decode_whole(const StoredTensor& tensor, const Hypothesis& h) {
  std::vector<const Fault*> faults{h.decoder, h.layout};
  std::erase(faults, nullptr);
  const HeldWeights held = hold_weights(tensor, faults);
  if (held.faults.size() < faults.size()) return std::nullopt;
  return held.values(tensor);
}

}  // namespace

std::string Hypothesis::name() const {
  if (!decoder || !layout) return std::string((decoder ? decoder : layout)->id);
  return std::string(decoder->id) + " with " + std::string(layout->id);
}

std::vector<TriedHypothesis> try_single_faults(const JudgedWeights& judged, const Decoded& truth) {
  std::vector<TriedHypothesis> tried;
  std::vector<float> whole;
  const QuantType& type = *judged.tensor.info.type;
  for (const Fault* fault : faults()) {
    if (fault == judged.hidden) continue;
    if (const QuantType* faulty = faulty_type(*fault, type)) {
      const Decoded decoded = decode_as(judged, *faulty);
      if (!same_values(decoded.values, truth.values))
        tried.push_back(best_rounding(judged, decoded, {.decoder = fault}));
    } else if (const auto* layout = std::get_if<LayoutFault>(&fault->injection);
               layout && layout->touches(judged.tensor)) {
      const Decoded decoded = decode_layout(judged, *layout, type, largest_slack(truth), whole);
      if (!same_values(decoded.values, truth.values))
        tried.push_back(best_rounding(judged, decoded, {.layout = fault}));
    }
  }
  std::ranges::stable_sort(tried, {}, &TriedHypothesis::n_wrong);
  return tried;
}

std::vector<TriedHypothesis> try_pairs(const JudgedWeights& judged, const Decoded& truth) {
  std::vector<TriedHypothesis> fitting;
  if (judged.tensor.info.n_elements > kMostPairElements) return fitting;
  // The right weights' slack: that of a decoder whose numbers are huge would let anything pass.
  const float slack = largest_slack(truth);
  std::vector<float> whole;
  for (const Fault* decoder : faults()) {
    const QuantType* faulty = faulty_type(*decoder, *judged.tensor.info.type);
    if (!faulty || decoder == judged.hidden) continue;
    for (const Fault* fault : faults()) {
      const auto* layout = std::get_if<LayoutFault>(&fault->injection);
      if (!layout || fault == judged.hidden || !layout->touches(judged.tensor)) continue;
      const Decoded decoded = decode_layout(judged, *layout, *faulty, slack, whole);
      for (const DumpRounding rounding : judged.roundings)
        if (count_wrong(judged, decoded, rounding, 0) == 0) {
          fitting.push_back({{decoder, fault}, rounding, 0});
          break;
        }
    }
  }
  return fitting;
}

std::string tensor_that_tells_apart(const JudgedWeights& judged,
                                    std::span<const TriedHypothesis> hypotheses) {
  for (const TensorInfo& info : judged.tensor.file.tensors()) {
    if (info.name == judged.tensor.info.name || info.n_elements == 0 || info.n_elements > kMostPairElements)
      continue;
    const StoredTensor other{judged.tensor.file, info, judged.tensor.hparams};
    const auto first = decode_whole(other, hypotheses[0].hypothesis);
    for (const TriedHypothesis& tried : hypotheses.subspan(1)) {
      const auto second = decode_whole(other, tried.hypothesis);
      if (first.has_value() != second.has_value() || (first && !same_values(*first, *second)))
        return std::string(info.name);
    }
  }
  return {};
}

}  // namespace assay
