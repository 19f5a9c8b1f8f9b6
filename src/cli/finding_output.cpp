#include "cli/finding_output.h"

#include <fmt/format.h>

#include "cli/json_output.h"
#include "cli/terminal.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Finding& f) {
  Json candidates = Json::array();
  for (const Finding::Candidate& c : f.candidates) {
    Json along = Json::array();
    for (const Fault* fault : c.along) along.push_back(fault->id);
    candidates.push_back({{"id", c.fault->id},
                          {"along", along},
                          {"family", family_name(c.fault->family)},
                          {"confidence", c.confidence},
                          {"evidence", c.evidence},
                          {"change", c.fault->change},
                          {"mend", c.fault->mend},
                          {"source", c.fault->source}});
  }
  return {{"verdict", verdict_name(f.verdict)},
          {"place", f.place},
          {"candidates", candidates},
          {"figures", f.figures},
          {"refusals", f.refusals},
          {"next", f.next}};
}

void print_text_of(const Finding& f) {
  print_text(fmt::format("{}\n", verdict_name(f.verdict)));
  if (!f.place.empty()) print_text(fmt::format("  where      {}\n", f.place));
  for (const Finding::Candidate& c : f.candidates) {
    print_text(fmt::format("  {:<10} {} ({}), confidence {:.3g}\n", "fault", c.fault->id,
                           family_name(c.fault->family), c.confidence));
    print_text(fmt::format("  {:<10} {}\n", "what", c.fault->change));
    print_text(fmt::format("  {:<10} {}\n", "because", c.evidence));
    print_text(fmt::format("  {:<10} {}\n", "mend", c.fault->mend));
    print_text(fmt::format("  {:<10} {}\n", "seen in", c.fault->source));
    for (const Fault* fault : c.along) {
      print_text(fmt::format("  {:<10} {} ({})\n", "and", fault->id, family_name(fault->family)));
      print_text(fmt::format("  {:<10} {}\n", "what", fault->change));
      print_text(fmt::format("  {:<10} {}\n", "mend", fault->mend));
    }
  }
  for (const std::string& figure : f.figures) print_text(fmt::format("  {:<10} {}\n", "figure", figure));
  for (const std::string& refusal : f.refusals) print_text(fmt::format("  {:<10} {}\n", "not said", refusal));
  if (!f.next.empty()) print_text(fmt::format("  {:<10} {}\n", "next", f.next));
}

}  // namespace

ExitStatus print_finding(const Finding& f, bool json) {
  if (json)
    print_json(json_of(f));
  else
    print_text_of(f);
  const bool at_fault = f.verdict == Finding::Verdict::fault || f.verdict == Finding::Verdict::shortlist ||
                        f.verdict == Finding::Verdict::unknown_fault;
  return at_fault ? kFaultFound : kDone;
}

}  // namespace assay::cli
