#include "diagnose/report/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "diagnose/report/page.h"

namespace assay {
namespace {

constexpr double kWidth = 900, kHeight = 340, kLeft = 70, kRight = 20, kTop = 14, kBottom = 46;
constexpr size_t kColours = 8;

/// Share of colour in a heat map's cell, in percent: healthy is calm.
double shade(const HeatMap::Cell& cell) {
  return cell.fault ? 35 : 4 + 16 * std::clamp(cell.value, 0.0, 1.0);
}

}  // namespace

std::string curves_svg(const std::vector<Curve>& curves, const std::string& x_label,
                       const std::string& y_label) {
  double least = 1e300, most = 0;
  size_t n = 1;
  const auto see = [&](double v) {
    if (!(v > 0) || !std::isfinite(v)) return;
    least = std::min(least, v);
    most = std::max(most, v);
  };
  for (const Curve& curve : curves) {
    n = std::max(n, curve.values.size());
    for (const double v : curve.values) see(v);
    for (const auto& [middle, limit] : curve.band) see(middle), see(limit);
  }
  if (most == 0) return "<p class=\"soft\">No error to show.</p>\n";
  const double low = std::floor(std::log10(least)), high = std::max(low + 1, std::ceil(std::log10(most)));
  const auto x_of = [&](size_t i) {
    return kLeft + (n > 1 ? double(i) / double(n - 1) : 0.5) * (kWidth - kLeft - kRight);
  };
  const auto y_of = [&](double v) {
    return kHeight - kBottom -
           std::clamp((std::log10(v) - low) / (high - low), 0.0, 1.0) * (kHeight - kTop - kBottom);
  };
  std::string svg =
      fmt::format("<div class=\"scroll\"><svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n",
                  kWidth, kHeight, escaped(y_label));
  for (double power = low; power <= high; ++power)
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/><text class=\"soft\" x=\"{}\" "
        "y=\"{:.1f}\" text-anchor=\"end\">{:g}</text>\n",
        kLeft, kWidth - kRight, y_of(std::pow(10, power)), y_of(std::pow(10, power)), kLeft - 8,
        y_of(std::pow(10, power)) + 4, std::pow(10, power));
  for (size_t i = 0; i < n; i += std::max<size_t>(1, (n + 15) / 16))
    svg += fmt::format("<text class=\"soft\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                       x_of(i), kHeight - kBottom + 18, i);
  svg += fmt::format("<text class=\"soft\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                     (kLeft + kWidth - kRight) / 2, kHeight - 8, escaped(x_label));
  svg += fmt::format(
      "<text class=\"soft\" transform=\"translate(16 {:.1f}) rotate(-90)\" "
      "text-anchor=\"middle\">{}</text>\n",
      (kHeight - kBottom + kTop) / 2, escaped(y_label));
  for (size_t c = 0; c < curves.size(); ++c) {
    const Curve& curve = curves[c];
    const std::string colour = fmt::format("var(--s{})", c % kColours);
    if (curve.band.size() == curve.values.size() && !curve.band.empty()) {
      std::string area;
      for (size_t i = 0; i < curve.band.size(); ++i)
        area += fmt::format("{:.1f},{:.1f} ", x_of(i), y_of(std::max(curve.band[i].second, 1e-300)));
      for (size_t i = curve.band.size(); i-- > 0;) {
        const auto [middle, limit] = curve.band[i];  // symmetric in the logarithm
        area += fmt::format("{:.1f},{:.1f} ", x_of(i), y_of(std::max(middle * middle / limit, 1e-300)));
      }
      svg += fmt::format("<polygon points=\"{}\" style=\"fill:{};opacity:.18\"/>\n", area, colour);
    }
    std::string path;
    for (size_t i = 0; i < curve.values.size(); ++i)
      if (curve.values[i] > 0 && std::isfinite(curve.values[i]))
        path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x_of(i), y_of(curve.values[i]));
    svg += fmt::format("<path d=\"{}\" style=\"fill:none;stroke:{};stroke-width:1.8\"/>\n", path, colour);
    for (size_t i = 0; i < curve.values.size(); ++i)
      if (curve.values[i] > 0 && std::isfinite(curve.values[i]))
        svg += fmt::format(
            "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" style=\"fill:{}\"><title>{}, {}: "
            "{:.3g}</title></circle>\n",
            x_of(i), y_of(curve.values[i]), colour, escaped(curve.label), i, curve.values[i]);
  }
  svg += "</svg></div>\n<p class=\"soft\">";
  for (size_t c = 0; c < curves.size(); ++c)
    svg += fmt::format("<span class=\"key\"><span style=\"color:var(--s{})\">&#9632;</span> {}</span> ",
                       c % kColours, escaped(curves[c].label));
  return svg + "</p>\n";
}

std::string heat_map_html(const HeatMap& map) {
  std::vector<std::vector<Cell>> rows;
  std::string out = "<div class=\"scroll\"><table class=\"heat\"><thead><tr><th></th>";
  for (const std::string& column : map.columns)
    out += fmt::format("<th class=\"n\">{}</th>", escaped(column, 60));
  out += "</tr></thead><tbody>\n";
  for (size_t r = 0; r < map.rows.size(); ++r) {
    out += fmt::format("<tr><td class=\"name\"><code>{}</code></td>", escaped(map.rows[r], 80));
    for (const HeatMap::Cell& cell : map.cells[r]) {
      if (std::isnan(cell.value)) {
        out += "<td class=\"n soft\">-</td>";
        continue;
      }
      out += fmt::format(
          "<td class=\"n\" title=\"{}\" style=\"background:color-mix(in srgb,var({}) "
          "{:.0f}%,transparent)\">{}</td>",
          escaped(cell.hint), cell.fault ? "--fault" : "--mark", shade(cell),
          cell.fault ? fmt::format("<span class=\"fault\">{:.2f}</span>", cell.value)
                     : fmt::format("{:.2f}", cell.value));
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace assay
