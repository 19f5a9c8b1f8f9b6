#include "judge/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/load_error.h"

namespace assay {
namespace {

constexpr double kWidth = 860, kHeight = 520;
constexpr double kLeft = 78, kRight = 24, kTop = 44, kBottom = 56;
constexpr double kLineHeight = 17, kLetterWidth = 7.2;

constexpr const char* kStyle =
    "svg{--ink:#1c2330;--soft:#66718a;--line:#dde2ea;--mark:#2456c8;--back:#ffffff;background:var(--back)}"
    "@media(prefers-color-scheme:dark){svg{--ink:#e6eaf2;--soft:#98a3b8;--line:#2c3444;--mark:#7ea6ff;--back:"
    "#12161f}}"
    "text{font:13px system-ui,sans-serif;fill:var(--ink)}.soft{fill:var(--soft)}"
    ".title{font-size:16px;font-weight:600}.grid{stroke:var(--line)}.mark{fill:var(--mark)}"
    ".bar{stroke:var(--mark);stroke-width:1.5}.lead{stroke:var(--soft);stroke-width:.7}";

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : printable(text, 200)) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

struct Box {
  double x0, y0, x1, y1;
  bool meets(const Box& o) const { return x0 < o.x1 && o.x0 < x1 && y0 < o.y1 && o.y0 < y1; }
};

/// A place for a label near (x, y) that meets nothing of `taken`: the nearest of rings of candidates.
Box place_label(double x, double y, double width, const std::vector<Box>& taken) {
  Box first{};
  for (double ring = 0; ring < 12; ++ring)
    for (const double side : {1.0, -1.0})
      for (const double up : {0.0, -1.0, 1.0}) {
        const double x0 = side > 0 ? x + 9 + ring * 4 : x - 9 - ring * 4 - width;
        const double y0 = y - kLineHeight / 2 + up * (ring + 1) * kLineHeight * 0.7;
        const Box box{x0, y0, x0 + width, y0 + kLineHeight};
        if (ring == 0 && side > 0 && up == 0) first = box;
        if (box.x0 < kLeft || box.x1 > kWidth - 2 || box.y0 < kTop || box.y1 > kHeight - kBottom) continue;
        if (std::none_of(taken.begin(), taken.end(), [&](const Box& b) { return b.meets(box); })) return box;
      }
  return first;
}

}  // namespace

std::string plot_svg(std::span<const PlotPoint> points, const std::string& base_label) {
  double least_kl = 1e300, most_kl = 0, least_bits = 1e300, most_bits = 0;
  for (const PlotPoint& p : points) {
    if (p.kl.value > 0) {
      least_kl = std::min(least_kl, p.kl.value);
      most_kl = std::max(most_kl, p.kl.value);
    }
    least_bits = std::min(least_bits, p.bits_per_weight);
    most_bits = std::max(most_bits, p.bits_per_weight);
  }
  if (most_kl == 0) least_kl = 1e-6, most_kl = 1e-5;
  if (points.empty()) least_bits = 0, most_bits = 16;
  const double low = std::floor(std::log10(least_kl * 0.9)),
               high = std::max(low + 1, std::ceil(std::log10(most_kl * 1.1)));
  const double first_bit = std::floor(least_bits - 0.5), last_bit = std::ceil(most_bits + 0.5);
  const auto x_of = [&](double bits) {
    return kLeft + (bits - first_bit) / (last_bit - first_bit) * (kWidth - kLeft - kRight);
  };
  const auto y_of = [&](double kl) {
    const double share = kl > 0 ? (std::log10(kl) - low) / (high - low) : 0;
    return kHeight - kBottom - std::clamp(share, 0.0, 1.0) * (kHeight - kTop - kBottom);
  };

  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" role=\"img\"><style>{}</style>"
      "<rect width=\"100%\" height=\"100%\" style=\"fill:var(--back)\"/>"
      "<text class=\"title\" x=\"{}\" y=\"26\">KL divergence from {} against size</text>\n",
      kWidth, kHeight, kStyle, kLeft, escaped(base_label));
  for (double power = low; power <= high; ++power) {
    const double y = y_of(std::pow(10, power));
    svg += fmt::format("<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kLeft,
                       kWidth - kRight, y, y);
    svg += fmt::format("<text class=\"soft\" x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:g}</text>\n",
                       kLeft - 8, y + 4.5, std::pow(10, power));
  }
  const double step = last_bit - first_bit > 12 ? 2 : 1;
  for (double bits = first_bit; bits <= last_bit; bits += step) {
    svg += fmt::format("<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>",
                       x_of(bits), kTop, kHeight - kBottom);
    svg += fmt::format("<text class=\"soft\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:g}</text>\n",
                       x_of(bits), kHeight - kBottom + 20, bits);
  }
  svg += fmt::format(
      "<text class=\"soft\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">bits per weight</text>\n",
      (kLeft + kWidth - kRight) / 2, kHeight - 12);
  svg += fmt::format(
      "<text class=\"soft\" transform=\"translate(18 {:.1f}) rotate(-90)\" text-anchor=\"middle\">mean KL, "
      "nats per token</text>\n",
      (kTop + kHeight - kBottom) / 2);

  std::vector<Box> taken;
  for (const PlotPoint& p : points) {
    const double x = x_of(p.bits_per_weight), y = y_of(p.kl.value);
    taken.push_back({x - 6, y - 6, x + 6, y + 6});
  }
  for (size_t i = 0; i < points.size(); ++i) {
    const PlotPoint& p = points[i];
    const double x = x_of(p.bits_per_weight), y = y_of(p.kl.value);
    if (p.kl.value > p.kl.error && p.kl.error > 0)
      svg += fmt::format("<line class=\"bar\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>",
                         x, y_of(p.kl.value + p.kl.error), y_of(p.kl.value - p.kl.error));
    svg += fmt::format(
        "<circle class=\"mark\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\"><title>{}: {:.4g} bits, KL {:.4g} ± "
        "{:.2g}</title></circle>",
        x, y, escaped(p.label), p.bits_per_weight, p.kl.value, p.kl.error);
    const Box box = place_label(x, y, kLetterWidth * double(p.label.size()), taken);
    const double middle = (box.y0 + box.y1) / 2;
    if (std::abs(middle - y) > kLineHeight)
      svg += fmt::format("<line class=\"lead\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", x,
                         y, box.x0 > x ? box.x0 - 2 : box.x1 + 2, middle);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", box.x0, middle + 4.5, escaped(p.label));
    taken.push_back(box);
  }
  return svg + "</svg>\n";
}

}  // namespace assay
