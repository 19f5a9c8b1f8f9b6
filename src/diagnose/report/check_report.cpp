#include "diagnose/report/check_report.h"

#include <fmt/format.h>

#include "diagnose/report/compare_report.h"
#include "diagnose/report/page.h"

namespace assay {
namespace {

const char* css_class(CheckStatus status) {
  constexpr const char* kClasses[] = {"ok", "noise", "fault", "unknown"};
  return kClasses[size_t(status)];
}

}  // namespace

std::string check_report(const CheckReport& report, std::string_view signature) {
  const std::string name = report.path.substr(report.path.find_last_of('/') + 1);
  std::string body =
      fmt::format("<h1>{}</h1>\n<p><span class=\"{}\">{}</span> &#183; {:.2f} MiB &#183; {}</p>\n",
                  escaped(name), css_class(report.status()), status_name(report.status()),
                  double(report.n_bytes) / 0x1p20, escaped(report.types));
  for (const auto& [path, digest] : report.sha256)
    body +=
        fmt::format("<p class=\"soft\">SHA-256 <code>{}</code>{}</p>\n", digest,
                    report.sha256.size() > 1 ? " " + escaped(path.substr(path.find_last_of('/') + 1)) : "");
  body += "<p class=\"soft\">" + escaped(signature) + "</p>\n";
  std::vector<std::vector<Cell>> rows;
  for (const CheckReport::Entry& entry : report.entries) {
    std::string text;
    for (const std::string& sentence : entry.result.sentences) text += "<p>" + escaped(sentence) + "</p>";
    rows.push_back({{escaped(entry.name), "name"},
                    {std::string(status_name(entry.result.status)), css_class(entry.result.status)},
                    {text},
                    {"<span class=\"soft\">" + escaped(entry.what) + "</span>"}});
  }
  body += html_table({"check", "status", "found", "what is asked"}, rows);
  if (report.comparison) body += compare_sections(*report.comparison);
  return html_page("assay check: " + name, body);
}

}  // namespace assay
