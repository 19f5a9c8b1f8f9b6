#include "diagnose/report/page.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "diagnose/report/check_report.h"
#include "diagnose/report/compare_report.h"

namespace assay {
namespace {

/// Elements opened and not closed in order; empty: well-formed (XML's rules, which the pages keep but for the
/// doctype).
std::string open_elements(const std::string& page) {
  std::vector<std::string> open;
  for (size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at + 1)) {
    if (page.compare(at, 2, "<!") == 0) continue;
    const size_t end = page.find('>', at);
    if (end == std::string::npos) return "an unfinished tag";
    const bool closes = page[at + 1] == '/';
    const size_t begin = at + 1 + closes;
    const std::string name = page.substr(begin, page.find_first_of(" />", begin) - begin);
    if (closes) {
      if (open.empty() || open.back() != name) return "</" + name + "> closes nothing";
      open.pop_back();
    } else if (page[end - 1] != '/') {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : "<" + open.back() + ">";
}

constexpr const char* kHostile =
    "<img src=x onerror='alert(1)'>\"&\x1b[2J\xff</style></svg><script>alert(2)</script>";

void expect_safe(const std::string& page) {
  EXPECT_EQ(open_elements(page), "");
  for (const char* bad :
       {"<img", "<script", "onerror='", "http:", "https:", "url(", "@import", "src=\"", "\x1b", "\xff"})
    EXPECT_EQ(page.find(bad), std::string::npos) << bad;
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  EXPECT_NE(page.find("&lt;img"), std::string::npos);
}

TEST(Page, EscapesAllThatCouldEndAnElementOrAnAttribute) {
  EXPECT_EQ(escaped("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(escaped("\x1b"), "\\x1B");
  expect_safe(html_page(kHostile, html_table({"a"}, {{{escaped(kHostile), "n", kHostile}}})));
}

CompareRow hostile_row() {
  CompareRow row;
  row.path = row.label = row.engine = row.types = row.reason = row.top_text = row.second_text = kHostile;
  row.notes = {kHostile};
  row.arithmetic = kHostile;
  row.has_top = row.comparable = true;
  row.layers = {0.1, 0.2};
  row.tests = {
      {"KL", 1, 1, 2, 0, 0.5}, {"l_out-0", 0.1, 0.1, 0.2, 0, 0.5}, {"l_out-1", 0.2, 0.2, 0.3, 0, 0.5}};
  row.tensors.push_back({});
  row.tensors[0].name = row.tensors[0].fault = kHostile;
  row.tensors[0].type = find_quant_type("F32");
  row.continuation = {{1, 2}, {kHostile, kHostile}, {0.5f, 0.5f}, 1, 0.5};
  return row;
}

TEST(CompareReport, IsSafeAndWellFormedWhateverTheFilesSay) {
  Comparison c;
  c.anchor_path = c.anchor_label = c.anchor_types = c.text_source = c.prompt = kHostile;
  c.n_tokens = 10;
  c.notes = {kHostile};
  c.anchor_continuation = {{1}, {kHostile}, {0.1f}, {}, 0};
  c.rows = {hostile_row(), hostile_row()};
  expect_safe(compare_report(c));
}

TEST(CheckReport, IsSafeAndWellFormedWhateverTheFileSays) {
  CheckReport r;
  r.path = r.source = r.types = kHostile;
  r.sha256 = {{kHostile, "00"}, {kHostile, "11"}};
  CheckResult result;
  result.say(CheckStatus::fault, kHostile);
  r.entries.push_back({"structure", "what", result});
  expect_safe(check_report(r, kHostile));
}

TEST(Page, TheCheckOfFormSeesWhatIsWrong) {
  EXPECT_NE(open_elements("<p><b></p></b>"), "");
  EXPECT_NE(open_elements("<p>"), "");
}

}  // namespace
}  // namespace assay
