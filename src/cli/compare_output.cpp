#include "cli/compare_output.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/load_error.h"
#include "cli/terminal.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

/// A token's text between quotes, line ends spelled out.
std::string quoted(const std::string& piece) {
  std::string shown;
  for (const char c : piece) shown += c == '\n' ? "\\n" : c == '\t' ? "\\t" : std::string(1, c);
  return '"' + printable(shown, 30) + '"';
}

std::string text_of(const Continuation& c, size_t begin, size_t end) {
  std::string text;
  for (size_t i = begin; i < std::min(end, c.pieces.size()); ++i) text += c.pieces[i];
  std::string shown;
  for (const char ch : text) shown += ch == '\n' ? "\\n" : std::string(1, ch);
  return printable(shown, 400);
}

size_t width_of(const std::string& text) {  // code points
  return size_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

/// Lines up cells under their heads; the first columns to the left, numbers to the right.
void print_table(const std::vector<std::vector<std::string>>& rows, const std::vector<bool>& right) {
  std::vector<size_t> widths(right.size());
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string pad(widths[i] - width_of(row[i]), ' ');
      line += (i ? "  " : "") + (right[i] ? pad + row[i] : row[i] + pad);
    }
    while (line.ends_with(' ')) line.pop_back();
    print_text(line + "\n");
  }
}

}  // namespace

void print_comparison(const Comparison& c) {
  print_text(fmt::format("anchor  exact on {} ({})\n", printable(c.anchor_label), c.anchor_types));
  print_text(fmt::format("text    {} tokens, {}\n\n", c.n_tokens, c.text_source));
  std::vector<std::vector<std::string>> table{
      {"file", "engine", "MiB", "bits", "top token", "", "logit", "gap", "KL", "same top", "verdict"}};
  for (const CompareRow& row : c.rows) {
    std::vector<std::string> cells{printable(row.label, 40), row.engine,
                                   fmt::format("{:.2f}", double(row.n_bytes) / 0x1p20),
                                   fmt::format("{:.2f}", row.bits_per_weight)};
    if (row.has_top)
      cells.insert(cells.end(), {std::to_string(row.top.id), quoted(row.top_text),
                                 fmt::format("{:.2f}", row.top.logit), fmt::format("{:.2f}", row.top.gap)});
    else
      cells.insert(cells.end(), {"-", "", "-", "-"});
    if (row.comparable)
      cells.insert(cells.end(), {fmt::format("{:.2g}", row.kl),
                                 fmt::format("{:.1f} %", 100 * double(row.n_same_top) / double(c.n_tokens))});
    else
      cells.insert(cells.end(), {"-", "-"});
    cells.emplace_back(verdict_name(row.verdict));
    table.push_back(std::move(cells));
  }
  print_table(table, {false, false, true, true, true, false, true, true, true, true, false});
  print("\n");
  for (const CompareRow& row : c.rows)
    print_text(fmt::format("{}, {}: {}: {}\n", printable(row.label, 40), row.engine,
                           verdict_name(row.verdict), row.reason));
  print_text(fmt::format("\ngreedy  {}\n", text_of(c.anchor_continuation, 0, SIZE_MAX)));
  for (const CompareRow& row : c.rows) {
    const Continuation& k = row.continuation;
    if (row.is_anchor && !k.fork) continue;
    if (!k.fork)
      print_text(fmt::format("  {}: the same {} tokens\n", printable(row.label, 40), k.ids.size()));
    else
      print_text(fmt::format("  {}: forks at token {}, where the anchor's gap is {:.2g}: {}⟂{}\n",
                             printable(row.label, 40), *k.fork, k.fork_gap, text_of(k, 0, *k.fork),
                             text_of(k, *k.fork, SIZE_MAX)));
  }
  std::vector<std::string> notes = c.notes;
  for (const CompareRow& row : c.rows) {
    for (const std::string& note : row.notes) notes.push_back(printable(row.label, 40) + ": " + note);
    if (!row.arithmetic.empty())
      notes.push_back(fmt::format("{}, {}: {}", printable(row.label, 40), row.engine, row.arithmetic));
  }
  if (!notes.empty()) print("\n");
  for (const std::string& note : notes) print_text("note: " + note + "\n");
}

namespace {

Json json_of(const Continuation& c) {
  Json json{{"ids", c.ids}, {"pieces", c.pieces}, {"gaps", c.gaps}};
  if (c.fork) json["fork"] = {{"at", *c.fork}, {"anchor_gap", c.fork_gap}};
  return json;
}

Json json_of(const CompareRow& row, size_t n_tokens) {
  Json json{{"file", row.path},
            {"engine", row.engine},
            {"types", row.types},
            {"bytes", row.n_bytes},
            {"bits_per_weight", row.bits_per_weight},
            {"is_anchor", row.is_anchor},
            {"verdict", verdict_name(row.verdict)},
            {"reason", row.reason}};
  if (row.has_top)
    json["top"] = {{"id", row.top.id},         {"text", row.top_text},           {"logit", row.top.logit},
                   {"second", row.top.second}, {"second_text", row.second_text}, {"gap", row.top.gap}};
  if (row.comparable) {
    json["kl"] = row.kl;
    json["same_top1"] = double(row.n_same_top) / double(n_tokens);
    json["layer_errors"] = row.layers;
  }
  if (row.arithmetic_kl) json["arithmetic_kl"] = *row.arithmetic_kl;
  if (!row.arithmetic.empty()) json["arithmetic"] = row.arithmetic;
  json["p"] = row.p;
  json["tests"] = Json::array();
  for (const Test& test : row.tests)
    json["tests"].push_back({{"name", test.name},
                             {"observed", test.observed},
                             {"expected", test.expected},
                             {"limit", test.limit},
                             {"z", test.z},
                             {"p", test.p}});
  if (!row.no_null.empty()) json["no_null"] = row.no_null;
  json["weight_ratio"] = row.weight_ratio;
  json["tensors"] = Json::array();
  for (const TensorJudgement& t : row.tensors) {
    Json one{{"name", t.name},
             {"type", t.type->name},
             {"relative_rms", t.relative_rms},
             {"expected_rms", t.expected_rms},
             {"ratio", t.ratio},
             {"cosine", t.cosine},
             {"worst_stretch", t.worst_ratio},
             {"stretch_limit", t.stretch_limit}};
    if (!t.fault.empty()) one["fault"] = t.fault;
    json["tensors"].push_back(std::move(one));
  }
  json["token_faults"] = row.token_faults;
  json["notes"] = row.notes;
  json["greedy"] = json_of(row.continuation);
  return json;
}

}  // namespace

Json json_of(const Comparison& c) {
  Json json{{"anchor", c.anchor_path},
            {"anchor_types", c.anchor_types},
            {"text", c.text_source},
            {"tokens", c.n_tokens},
            {"sequences", c.n_sequences},
            {"draws", c.n_draws},
            {"tests", c.n_tests},
            {"fault_chance", kFaultChance},
            {"bulk_chance", kBulkChance},
            {"notes", c.notes},
            {"greedy", json_of(c.anchor_continuation)}};
  json["rows"] = Json::array();
  for (const CompareRow& row : c.rows) json["rows"].push_back(json_of(row, c.n_tokens));
  return json;
}

}  // namespace assay::cli
