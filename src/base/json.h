// JSON from strangers: bounded depth, no key twice, one kind of error.
#pragma once
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/load_error.h"

namespace assay {

/// Text that is no JSON of the allowed depth. what() says the problem and names no file: callers add it.
struct BadJson : std::runtime_error {
  BadJson(const std::string& problem, size_t where) : std::runtime_error(problem), byte(where) {}
  size_t byte;  // of the text; 0 where the parser does not say
};

/// `text` as a `Json` (nlohmann::json or ordered_json). Time and memory are bounded by the text's length.
/// Throws BadJson: no JSON, nested deeper than `deepest`, a key twice in one object (readers disagree about
/// which one holds), a number that no double holds.
template <typename Json = nlohmann::json>
Json parse_json(std::string_view text, int deepest) {
  std::vector<std::set<std::string>> keys(size_t(deepest) + 2);  // of the open object at each depth
  const auto check = [&](int depth, typename Json::parse_event_t event, Json& value) {
    if (depth > deepest) throw BadJson(fmt::format("JSON nested deeper than {}", deepest), 0);
    if (event == Json::parse_event_t::object_start) keys[size_t(depth) + 1].clear();
    if (event == Json::parse_event_t::key) {
      const auto& key = value.template get_ref<const std::string&>();
      if (!keys[size_t(depth)].insert(key).second)
        throw BadJson("key \"" + printable(key) + "\" is there twice", 0);
    }
    return true;
  };
  try {
    return Json::parse(text, check);
  } catch (const typename Json::parse_error& error) {
    throw BadJson("is not JSON", error.byte);
  } catch (const typename Json::out_of_range&) {
    throw BadJson("JSON with a number out of range", 0);
  }
}

}  // namespace assay
