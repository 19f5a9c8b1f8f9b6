// How well one distribution of tokens predicts, and how far it is from another. Definitions: llama.cpp's
// tools/perplexity and its README; all in f64.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace assay {

/// A value and its standard error.
struct Estimate {
  double value = 0, error = 0;
};

/// The logits of one prediction (vocab_size). `normalized`: they are log-probabilities already.
struct LogitRow {
  std::span<const float> logits;
  bool normalized = false;
};

/// -log of the probability of `target`.
double surprise(LogitRow row, int32_t target);

/// One prediction seen by two models.
struct Divergence {
  double nll = 0, base_nll = 0;  // surprise() of the model judged, of the base
  double kl = 0;                 // sum p_base (log p_base - log p), in nats
  bool same_top = false;         // the likeliest token is the same; of equals, the lowest id
  /// Change of the probability of the token that came.
  double delta_p() const;
};

/// Rows of equal length. A normalized base holds nothing below -16, llama.cpp's least log-probability: there
/// its terms are left out, as llama.cpp leaves them out.
Divergence diverge(LogitRow base, LogitRow row, int32_t target);

/// exp of the mean surprise. Fewer than two values: error 0.
Estimate perplexity(std::span<const double> nll);
Estimate mean(std::span<const double> values);
/// sqrt(mean(v^2)), the error carried over to first order.
Estimate root_mean_square(std::span<const double> values);
/// Linear between order statistics, as llama.cpp's; the error is half the distance between the order
/// statistics one standard deviation of the binomial rank away. `sorted` ascends and is not empty; 0 <=
/// fraction <= 1.
Estimate percentile(std::span<const double> sorted, double fraction);

struct DivergenceSummary {
  Estimate perplexity, base_perplexity, perplexity_ratio;  // the ratio's error from paired logarithms
  Estimate kl, delta_p, rms_delta_p, same_top;
  double kl_max = 0, kl_min = 0;
  struct Percentile {
    double fraction;
    Estimate value;
  };
  std::vector<Percentile> kl_percentiles, delta_p_percentiles;  // fractions ascend
};

/// Of at least one prediction.
DivergenceSummary summarize(std::span<const Divergence> all);

}  // namespace assay
