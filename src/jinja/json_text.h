// JSON to values and values to JSON.
#pragma once
#include <optional>
#include <set>
#include <string>

#include <nlohmann/json.hpp>

#include "jinja/value.h"

namespace assay::jinja {

/// `json` as a value. Its strings and keys count as data, except those that equal one of `trusted_words` and
/// all of them when `is_data` is false. Throws Fault: nested too deep, an integer beyond 64 bits.
Value from_json(Meter& meter, const nlohmann::ordered_json& json, bool is_data,
                const std::set<std::string>& trusted_words);

/// How json.dumps of Python is asked to write.
struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::optional<std::string> indent;  // text of one level
  Text item_separator{", "}, key_separator{": "};
};

/// json.dumps(value) of Python. Throws Fault for values that JSON has no form for.
Text to_json(Meter& meter, const Value& value, const JsonStyle& style);

}  // namespace assay::jinja
