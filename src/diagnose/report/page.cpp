#include "diagnose/report/page.h"

#include <fmt/format.h>

#include "base/load_error.h"

namespace assay {
namespace {

constexpr const char* kStyle = R"css(
:root{--ink:#1c2330;--soft:#5d6880;--line:#dde2ea;--back:#fff;--panel:#f5f7fa;--mark:#2456c8;
--ok:#1a7f4b;--noise:#9a6700;--fault:#c62828;--unknown:#5d6880;
--s0:#2456c8;--s1:#c2410c;--s2:#0f766e;--s3:#9333ea;--s4:#a16207;--s5:#be185d;--s6:#475569;--s7:#15803d;
color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf2;--soft:#98a3b8;--line:#2c3444;--back:#12161f;--panel:#1a202c;
--mark:#7ea6ff;--ok:#4ade80;--noise:#fbbf24;--fault:#ff8080;--unknown:#98a3b8;
--s0:#7ea6ff;--s1:#fb923c;--s2:#2dd4bf;--s3:#c084fc;--s4:#facc15;--s5:#f472b6;--s6:#94a3b8;--s7:#4ade80}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1rem 3rem;max-width:76rem;background:var(--back);color:var(--ink);
font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}
p{margin:.4rem 0}.soft{color:var(--soft)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600;font-size:.85rem;white-space:nowrap}
td.n,th.n{text-align:right;white-space:nowrap}
td.name{white-space:nowrap;overflow-wrap:normal}td.words{min-width:9rem}td p{margin:0 0 .2rem}
.heat td,.heat th{padding:.1rem .6rem;font-size:.85rem}.key{display:inline-block;margin-right:1rem}
.ok,.noise,.fault,.unknown{font-weight:600}td.ok,td.noise,td.fault,td.unknown{white-space:nowrap}
.ok{color:var(--ok)}.noise{color:var(--noise)}.fault{color:var(--fault)}.unknown{color:var(--unknown)}
code,.text{font-family:ui-monospace,monospace;font-size:.9em}
.text{white-space:pre-wrap;background:var(--panel);border-radius:.4rem;padding:.6rem .8rem;margin:.3rem 0}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(22rem,100%),1fr));gap:.8rem}
.fork{color:var(--fault);font-weight:700}.after{color:var(--fault)}
svg{display:block;max-width:100%;height:auto;min-width:44rem}svg text{fill:var(--ink);font:12px system-ui,sans-serif}
svg .soft{fill:var(--soft)}svg .grid{stroke:var(--line)}
@media print{:root{--ink:#000;--soft:#444;--line:#bbb;--back:#fff;--panel:#fff;--ok:#1a7f4b;--noise:#7a5200;--fault:#b00020}
body{max-width:none;padding:0}.scroll{overflow:visible}h2{break-after:avoid}tr,.text{break-inside:avoid}
svg{min-width:0}table{font-size:.8rem}}
)css";

}  // namespace

std::string escaped(std::string_view text, size_t max_bytes) {
  std::string out;
  for (const char c : printable(text, max_bytes)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string html_page(std::string_view title, const std::string& body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<meta name=\"referrer\" "
      "content=\"no-referrer\"/><title>{}</title>\n<style>{}</style></head>\n<body>\n{}</body></html>\n",
      escaped(title), kStyle, body);
}

std::string html_table(const std::vector<std::string>& heads, const std::vector<std::vector<Cell>>& rows) {
  std::string out = "<div class=\"scroll\"><table><thead><tr>";
  for (size_t i = 0; i < heads.size(); ++i) {
    const bool number = !rows.empty() && i < rows[0].size() && rows[0][i].css_class == "n";
    out += fmt::format("<th{}>{}</th>", number ? " class=\"n\"" : "", heads[i]);
  }
  out += "</tr></thead><tbody>\n";
  for (const std::vector<Cell>& row : rows) {
    out += "<tr>";
    for (const Cell& cell : row) {
      out += "<td";
      if (!cell.css_class.empty()) out += fmt::format(" class=\"{}\"", cell.css_class);
      if (!cell.hint.empty()) out += fmt::format(" title=\"{}\"", escaped(cell.hint));
      out += ">" + cell.html + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string html_section(const std::string& heading, const std::string& body) {
  return "<section><h2>" + heading + "</h2>\n" + body + "</section>\n";
}

}  // namespace assay
