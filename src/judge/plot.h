// Quality against size as a picture.
#pragma once
#include <span>
#include <string>

#include "judge/statistics.h"

namespace assay {

struct PlotPoint {
  std::string label;
  double bits_per_weight = 0;
  Estimate kl;
};

/// An SVG document that needs nothing else: mean KL, on a logarithmic axis, against bits per weight, with
/// error bars; light or dark as the reader's system is. Points of KL 0 or less lie at the bottom.
std::string plot_svg(std::span<const PlotPoint> points, const std::string& base_label);

}  // namespace assay
