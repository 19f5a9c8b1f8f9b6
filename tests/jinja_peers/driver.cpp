// One line of JSON in, one out: {"template", "context"} -> {"output"} or {"error", "kind"}. The peers of this
// folder speak the same lines, so that their answers can be compared.
#include <ctime>
#include <iostream>
#include <string>

#include <nlohmann/json.hpp>

#include "jinja/template.h"

namespace {

using nlohmann::ordered_json;

/// 2024-07-26 13:05:09, a Friday: the clock of all peers.
std::tm fixed_clock() {
  std::tm time{};
  time.tm_year = 124, time.tm_mon = 6, time.tm_mday = 26;
  time.tm_hour = 13, time.tm_min = 5, time.tm_sec = 9;
  time.tm_wday = 5, time.tm_yday = 207;
  return time;
}

ordered_json answer(const ordered_json& request) {
  try {
    assay::jinja::RenderOptions options;
    options.now = fixed_clock();
    const auto parsed = assay::jinja::Template::parse(request.at("template").get<std::string>());
    return {{"output", parsed.render(request.at("context"), options)}};
  } catch (const assay::jinja::TemplateError& error) {
    return {{"error", error.what()}, {"kind", assay::jinja::error_kind_name(error.kind)}};
  }
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);)
    std::cout
        << answer(ordered_json::parse(line)).dump(-1, ' ', false, ordered_json::error_handler_t::replace)
        << std::endl;
}
