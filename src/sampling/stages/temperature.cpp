// Temperature, constant or by entropy (dynamic temperature, "EDT": Zhang et al., 2024).
#include <algorithm>

#include "sampling/portable_math.h"
#include "sampling/stage.h"

namespace assay {
namespace {
/// temperature - range .. temperature + range, the higher the flatter the distribution: (entropy / log n) ^
/// exponent of the way.
double dynamic_temperature(const Candidates& candidates, const SamplingParams& p) {
  const double low = std::max(0.0, double(p.temperature) - double(p.dynatemp_range));
  const double high = double(p.temperature) + double(p.dynatemp_range);
  const Weighing weighing(candidates);
  double entropy = 0;
  for (const Candidate& c : candidates.items()) {
    const double probability = weighing.probability(c);
    if (probability > 0) entropy -= probability * portable_log(probability);
  }
  const double flatness = entropy / portable_log(double(candidates.size()));
  if (flatness <= 0) return low;
  if (flatness >= 1) return high;
  return low + (high - low) * portable_exp(double(p.dynatemp_exponent) * portable_log(flatness));
}
}  // namespace

/// logit / temperature. A dynamic temperature of 0 leaves the best token only.
void apply_temperature(Candidates& candidates, const StageContext& context) {
  float temperature = context.params.temperature;
  if (context.params.dynatemp_range > 0) {
    if (candidates.size() < 2) return;
    temperature = float(dynamic_temperature(candidates, context.params));
  }
  if (temperature <= 0) {
    candidates.sort_front(1);
    candidates.keep_front(1);
    return;
  }
  // Keeps the order of rank: equal quotients of unequal logits stay where they are.
  for (Candidate& c : candidates.items()) c.logit /= temperature;
  candidates.drop_impossible();
}

}  // namespace assay
