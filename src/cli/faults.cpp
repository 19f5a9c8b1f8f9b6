// assay faults: the faults that Assay knows, and what each one is.
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/terminal.h"
#include "diagnose/faults/fault_list.h"

namespace assay::cli {
namespace {

struct Options {
  std::string id;
  bool json = false;
};

nlohmann::ordered_json json_of(const Fault& f) {
  return {{"id", f.id},           {"family", family_name(f.family)},
          {"change", f.change},   {"affects", f.affects},
          {"symptom", f.symptom}, {"mend", f.mend},
          {"source", f.source},   {"injected_into", injection_name(f)}};
}

void print_one(const Fault& f) {
  print_text(fmt::format("{} ({})\n", f.id, family_name(f.family)));
  for (const auto& [title, text] : {std::pair{"what", f.change},
                                    {"affects", f.affects},
                                    {"seen as", f.symptom},
                                    {"mend", f.mend},
                                    {"seen in", f.source}})
    print_text(fmt::format("  {:<8} {}\n", title, text));
}

ExitStatus run(const Options& o) {
  if (!o.id.empty()) {
    const Fault& fault = need_fault(o.id);
    if (o.json)
      print_json(json_of(fault));
    else
      print_one(fault);
    return kDone;
  }
  if (o.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Fault* fault : faults()) list.push_back(json_of(*fault));
    print_json(list);
    return kDone;
  }
  size_t width = 0;
  for (const Fault* fault : faults()) width = std::max(width, fault->id.size());
  for (const Fault* fault : faults())
    print_text(
        fmt::format("{:<{}}  {:<20}  {}\n", fault->id, width, family_name(fault->family), fault->change));
  return kDone;
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  app.add_option("ID", o->id, "One fault, in full (default: all, a line each)");
  app.add_flag("--json", o->json, "Print as JSON");
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_faults{"faults", "List the faults that diagnose can name, and explain one",
                                    "Example: assay faults\n"
                                    "         assay faults q4_k-scale-high-bits",
                                    define};

}  // namespace assay::cli
