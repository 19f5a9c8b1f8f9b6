// assay conform: golden blocks for engines in any language.
#include "diagnose/conform/conform.h"

#include <fmt/format.h>

#include <memory>

#include "base/load_error.h"
#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/terminal.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string dir;
  bool json = false, check = false;
};

Json json_of(const ConformanceMark& m) {
  Json faults = Json::array();
  for (const Fault* fault : m.faults)
    faults.push_back({{"id", fault->id}, {"change", fault->change}, {"mend", fault->mend}});
  return {{"type", m.type->name}, {"answered", m.answered},           {"weights", m.n_weights},
          {"wrong", m.n_wrong},   {"blocks_wrong", m.n_blocks_wrong}, {"misread", m.misread},
          {"faults", faults}};
}

void print_mark(const ConformanceMark& m) {
  if (!m.answered) return print_text(fmt::format("{:<8} no answer\n", m.type->name));
  if (m.n_wrong == 0) return print_text(fmt::format("{:<8} right: {} weights\n", m.type->name, m.n_weights));
  print_text(
      fmt::format("{:<8} WRONG: {} of {} weights, in {} blocks; first: weight {} of block {} is {:.9g}, "
                  "should be {:.9g}\n",
                  m.type->name, m.n_wrong, m.n_weights, m.n_blocks_wrong, m.first_wrong % m.type->block_elems,
                  m.first_wrong / m.type->block_elems, m.found, m.expected));
  for (const Fault* fault : m.faults) {
    print_text(fmt::format("  fault    {}: {}\n", fault->id, fault->change));
    print_text(fmt::format("  mend     {}\n", fault->mend));
  }
  for (const std::string& field : m.misread) print_text("  misread  " + field + "\n");
  if (m.faults.empty() && m.misread.empty())
    print_text("  no field read otherwise gives these answers: the rule is wrong, or several fields are\n");
}

ExitStatus run(const Options& o) {
  if (!o.check) {
    export_conformance(o.dir);
    if (o.json)
      print_json({{"manifest", o.dir + "/manifest.json"}});
    else
      print_text(fmt::format(
          "decode DIR/T.blocks to DIR/T.answer.f32 for each type T, then: assay conform check {}\n", o.dir));
    return kDone;
  }
  const std::vector<ConformanceMark> marks = check_conformance(o.dir);
  size_t n_answered = 0, n_wrong = 0;
  Json list = Json::array();
  for (const ConformanceMark& m : marks) {
    n_answered += m.answered;
    n_wrong += m.n_wrong > 0;
    if (o.json)
      list.push_back(json_of(m));
    else
      print_mark(m);
  }
  if (n_answered == 0) throw UsageError(o.dir + ": no T.answer.f32 and no T.answer.npy to mark");
  if (o.json)
    print_json({{"types", list}, {"answered", n_answered}, {"wrong", n_wrong}});
  else
    print_text(
        fmt::format("{} of {} types answered, {} right\n", n_answered, marks.size(), n_answered - n_wrong));
  return n_wrong == 0 ? kDone : kFaultFound;
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  app.add_option_function<std::string>(
         "ACTION", [o](const std::string& action) { o->check = action == "check"; },
         "export: write blocks and what they decode to; check: mark the answers beside them")
      ->check(CLI::IsMember({"export", "check"}))
      ->required();
  app.add_option("DIR", o->dir, "Folder of the export")->required();
  app.add_flag("--json", o->json, "Print the result as JSON");
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_conform{
    "conform", "Golden blocks for engines in any language, and marks for their answers",
    "Example: assay conform export golden\n"
    "         my-engine --decode golden/Q4_K.blocks > golden/Q4_K.answer.f32\n"
    "         assay conform check golden\n"
    "Readers of 30 lines: examples/conform_reader.py and .c. Exit status 1: an answer is wrong.",
    define};

}  // namespace assay::cli
