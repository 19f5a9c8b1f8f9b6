// Pictures inside a page: SVG elements in the page's colours.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace assay {

/// A quantity by number (a layer), on a logarithmic axis, with the band that noise gives it.
struct Curve {
  std::string label;
  std::vector<double> values;                   // those that are not positive are left out
  std::vector<std::pair<double, double>> band;  // middle and limit, as many as values, or none
};
/// At most eight colours; they repeat. Every point tells its figures on hovering.
std::string curves_svg(const std::vector<Curve>& curves, const std::string& x_label,
                       const std::string& y_label);

/// Cells in rows and columns, darker from 0 to 1, in the colour of faults where one is; NaN: nothing there.
struct HeatMap {
  std::vector<std::string> rows, columns;
  struct Cell {
    double value = 0;
    std::string hint;
    bool fault = false;
  };
  std::vector<std::vector<Cell>> cells;  // (rows, columns)
};
std::string heat_map_html(const HeatMap& map);

}  // namespace assay
