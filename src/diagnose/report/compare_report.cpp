#include "diagnose/report/compare_report.h"

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "diagnose/report/charts.h"
#include "diagnose/report/page.h"

namespace assay {
namespace {

const char* css_class(CompareVerdict verdict) {
  constexpr const char* kClasses[] = {"ok", "noise", "fault", "unknown"};
  return kClasses[size_t(verdict)];
}

std::string row_label(const CompareRow& row) {
  return row.engine == "exact" ? row.label : row.label + ", " + row.engine;
}

std::string token(const std::string& piece) {
  std::string shown;
  for (const char c : piece) shown += c == '\n' ? "\\n" : std::string(1, c);
  return "<code>" + escaped(shown, 40) + "</code>";
}

std::string verdict_table(const Comparison& c) {
  std::vector<std::vector<Cell>> rows;
  for (const CompareRow& row : c.rows) {
    const std::string top = row.has_top ? fmt::format("{} {}", row.top.id, token(row.top_text)) : "-";
    rows.push_back(
        {{escaped(row.label, 80), "name", row.path},
         {std::string(verdict_name(row.verdict)), css_class(row.verdict)},
         {escaped(row.engine, 120), "words"},
         {escaped(row.types), "words"},
         {fmt::format("{:.2f}", double(row.n_bytes) / 0x1p20), "n"},
         {fmt::format("{:.2f}", row.bits_per_weight), "n"},
         {top, "name"},
         {row.has_top ? fmt::format("{:.2f}", row.top.logit) : "-", "n"},
         {row.has_top ? fmt::format("{:.2f}", row.top.gap) : "-", "n"},
         {row.comparable ? fmt::format("{:.2g}", row.kl) : "-", "n"},
         {row.comparable ? fmt::format("{:.1f} %", 100 * double(row.n_same_top) / double(c.n_tokens)) : "-",
          "n"}});
  }
  std::string out = html_table({"file", "verdict", "engine", "types", "MiB", "bits a weight", "top token",
                                "logit", "gap", "KL", "same top"},
                               rows);
  for (const CompareRow& row : c.rows) {
    out += fmt::format("<p><b>{}</b>: <span class=\"{}\">{}</span>: {}</p>\n", escaped(row_label(row), 120),
                       css_class(row.verdict), verdict_name(row.verdict), escaped(row.reason));
    if (!row.arithmetic.empty())
      out += fmt::format("<p class=\"soft\">Arithmetic: {}.</p>\n", escaped(row.arithmetic));
    for (const std::string& note : row.notes)
      out += fmt::format("<p class=\"soft\">{}.</p>\n", escaped(note));
  }
  for (const std::string& note : c.notes) out += "<p class=\"soft\">" + escaped(note) + ".</p>\n";
  return out;
}

std::string layer_curves(const Comparison& c) {
  std::vector<Curve> curves;
  for (const CompareRow& row : c.rows) {
    if (!row.comparable) continue;
    Curve curve{row_label(row), row.layers, {}};
    for (const Test& test : row.tests)
      if (test.name.starts_with("l_out-")) curve.band.emplace_back(test.expected, test.limit);
    for (const double v : row.layers)
      if (v > 0) {
        curves.push_back(std::move(curve));
        break;
      }
  }
  if (curves.empty()) return {};
  return html_section(
      "Error behind each layer",
      "<p class=\"soft\">Of the residual stream, relative to the anchor's. The bands are what the types' own "
      "noise gives.</p>\n" +
          curves_svg(curves, "layer", "relative error of l_out"));
}

std::string tensor_map(const Comparison& c) {
  HeatMap map;
  std::map<std::string, size_t> index;
  std::vector<const CompareRow*> columns;
  for (const CompareRow& row : c.rows) {
    bool seen = row.is_anchor && c.rows.size() > 1;
    for (const CompareRow* other : columns) seen |= other->path == row.path;
    if (seen || row.tensors.empty()) continue;
    columns.push_back(&row);
    map.columns.push_back(row.label);
    for (const TensorJudgement& tensor : row.tensors)
      if (index.try_emplace(tensor.name, map.rows.size()).second) map.rows.push_back(tensor.name);
  }
  map.cells.assign(map.rows.size(), std::vector<HeatMap::Cell>(columns.size(), {NAN, {}, false}));
  for (size_t column = 0; column < columns.size(); ++column)
    for (const TensorJudgement& t : columns[column]->tensors) {
      HeatMap::Cell& cell = map.cells[index[t.name]][column];
      const bool same = t.relative_rms == 0 && t.fault.empty();
      cell.value = same ? 0 : std::isfinite(t.ratio) ? t.ratio : 99;
      cell.fault = !t.fault.empty();
      cell.hint =
          fmt::format("{}: relative RMS error {:.3g}, must be {:.3g}, cosine {:.6f}{}{}", t.type->name,
                      t.relative_rms, t.expected_rms, t.cosine, cell.fault ? ": " : "", t.fault);
    }
  if (map.columns.empty()) return {};
  return html_section("Weights against the anchor's",
                      fmt::format("<p class=\"soft\">Error of every tensor over the error that its type must "
                                  "have: near 1 is healthy, "
                                  "0 is equal, more than {:.2f} is a fault.</p>\n",
                                  TensorJudgement::kHealthyRatio) +
                          heat_map_html(map));
}

std::string text_until(const Continuation& c, size_t begin, size_t end) {
  std::string text;
  for (size_t i = begin; i < std::min(end, c.pieces.size()); ++i) text += c.pieces[i];
  std::string out;  // line ends stay
  for (size_t i = 0; i < text.size();) {
    const size_t line = std::min(text.find('\n', i), text.size());
    out += escaped(std::string_view(text).substr(i, line - i));
    if (line < text.size()) out += '\n';
    i = line + 1;
  }
  return out;
}

std::string continuations(const Comparison& c) {
  std::string prompt = c.prompt;
  if (prompt.size() > 300) {
    size_t begin = prompt.size() - 300;
    while (begin < prompt.size() && (prompt[begin] & 0xC0) == 0x80) ++begin;
    prompt = prompt.substr(begin);
  }
  const auto card = [](const std::string& name, const std::string& text, const std::string& note) {
    return fmt::format("<div><b>{}</b><div class=\"text\">{}</div><p class=\"soft\">{}</p></div>\n", name,
                       text, note);
  };
  std::string cards =
      card("anchor: " + escaped(c.anchor_label, 80), text_until(c.anchor_continuation, 0, SIZE_MAX), "exact");
  for (const CompareRow& row : c.rows) {
    const Continuation& k = row.continuation;
    if (k.pieces.empty() || (row.is_anchor && !k.fork && row.engine == "exact")) continue;
    if (!k.fork)
      cards += card(escaped(row_label(row), 120), text_until(k, 0, SIZE_MAX), "the anchor's tokens");
    else
      cards += card(
          escaped(row_label(row), 120),
          text_until(k, 0, *k.fork) + "<span class=\"fork\">&#10178;</span><span class=\"after\">" +
              text_until(k, *k.fork, SIZE_MAX) + "</span>",
          fmt::format("forks at token {}, where the anchor's gap is {:.2g} logits", *k.fork, k.fork_gap));
  }
  return html_section("Greedy continuations", "<p class=\"soft\">Behind: &#8230;" + escaped(prompt) +
                                                  "</p>\n<div class=\"cards\">" + cards + "</div>\n");
}

}  // namespace

std::string compare_sections(const Comparison& c) {
  return layer_curves(c) + tensor_map(c) + continuations(c);
}

std::string compare_report(const Comparison& c) {
  std::string body = fmt::format(
      "<h1>Files against their anchor</h1>\n<p>Anchor: <b>exact</b> on <b>{}</b> ({}). Text: {} tokens, "
      "{}.</p>\n"
      "<p class=\"soft\">The noise that each file's types must make was drawn {} times from the anchor's own "
      "weights. A row is a "
      "fault when noise alone gives as much in fewer than one of {:.0f} comparisons, all {} tests taken "
      "together.</p>\n",
      escaped(c.anchor_label), escaped(c.anchor_types), c.n_tokens, escaped(c.text_source), c.n_draws,
      1 / kFaultChance, c.n_tests);
  body += verdict_table(c) + compare_sections(c);
  return html_page("assay compare: " + c.anchor_label, body);
}

}  // namespace assay
