#include "diagnose/faults/fault_list.h"

#include <fmt/format.h>

#include <array>

namespace assay {

std::string_view injection_name(const Fault& fault) noexcept {
  constexpr std::array kNames{"decoder", "layout", "computation", "tokenizer", "prompt"};
  static_assert(std::variant_size_v<decltype(Fault::injection)> == kNames.size());
  return kNames[fault.injection.index()];
}

std::string faults_markdown() {
  std::string page = fmt::format(
      "# Faults that Assay knows\n\n"
      "Generated from `src/diagnose/faults/`; rewrite it with `ASSAY_UPDATE_DOCS=1 diagnose_test`. `assay "
      "faults ID` prints\n"
      "one of them. Each of the {} entries can be injected: `verify --mutants` counts how many of them are "
      "caught,\n"
      "`diagnose` finds the one that explains what another engine did.\n",
      faults().size());
  const Fault* previous = nullptr;
  for (const Fault* fault : faults()) {
    if (!previous || previous->family != fault->family)
      page += fmt::format("\n## {}\n", family_name(fault->family));
    previous = fault;
    page += fmt::format(
        "\n### `{}`\n\n{}\n\n- affects: {}\n- what an author sees: {}\n- mend: {}\n- seen in: {}\n- injected "
        "into: the {}\n",
        fault->id, fault->change, fault->affects, fault->symptom, fault->mend, fault->source,
        injection_name(*fault));
  }
  return page;
}

}  // namespace assay
