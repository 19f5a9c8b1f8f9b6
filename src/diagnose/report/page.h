// HTML pages that need nothing else: no script, no font, no picture from elsewhere.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace assay {

/// Text made safe inside elements and inside quoted attributes: & < > " ' escaped, control characters and
/// invalid UTF-8 as \xNN (printable()), at most `max_bytes` of it. Whatever comes from a file goes through
/// here.
std::string escaped(std::string_view text, size_t max_bytes = 2000);

/// A page with `body`, which is HTML already, under `title`, which is text. Its policy forbids every request;
/// colours follow the reader's light or dark setting, tables scroll on narrow screens, print is plain.
std::string html_page(std::string_view title, const std::string& body);

/// A cell: HTML, its class ("n": a number, "ok", "noise", "fault", "unknown": a verdict), and the text shown
/// on hovering.
struct Cell {
  std::string html, css_class = {}, hint = {};
};
std::string html_table(const std::vector<std::string>& heads, const std::vector<std::vector<Cell>>& rows);
/// A section with a heading, both HTML.
std::string html_section(const std::string& heading, const std::string& body);

}  // namespace assay
