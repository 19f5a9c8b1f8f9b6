#include "diagnose/faults/fault_list.h"

#include <fmt/format.h>

#include <array>

namespace assay {

std::string_view injection_name(const Fault& fault) noexcept {
  constexpr std::array kNames{"decoder", "layout", "computation", "tokenizer", "prompt"};
  static_assert(std::variant_size_v<decltype(Fault::injection)> == kNames.size());
  return kNames[fault.injection.index()];
}

namespace {

/// Text in Markdown: what looks like a tag ("<s>") would be taken for one.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<' || c == '*') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

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
        fault->id, escaped(fault->change), escaped(fault->affects), escaped(fault->symptom),
        escaped(fault->mend), fault->source, injection_name(*fault));
  }
  return page;
}

}  // namespace assay
