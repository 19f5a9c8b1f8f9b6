#include <fmt/format.h>

#include <charconv>

#include "base/json.h"
#include "diagnose/tokens/diagnose_tokens.h"

namespace assay {
namespace {

using Json = nlohmann::json;

std::vector<int32_t> parse_list(std::string_view text, const std::string& name) {
  std::vector<int32_t> ids;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(", \n\t\r"), text.size());
    if (end > 0) {
      int32_t id = 0;
      const auto [stop, error] = std::from_chars(text.data(), text.data() + end, id);
      if (error != std::errc() || stop != text.data() + end)
        throw UsageError(fmt::format("{}: item {}, \"{}\", is not a token id", name, ids.size() + 1,
                                     printable(text.substr(0, end))));
      ids.push_back(id);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return ids;
}

const Json& list_of(const Json& json, const std::string& name) {
  if (json.is_array()) return json;
  if (json.is_object())
    for (const char* key : {"ids", "tokens", "input_ids", "prompt_token_ids"})
      if (json.contains(key) && json[key].is_array()) return json[key];
  throw UsageError(name + ": is neither a list of token ids nor an object with a list \"ids\"");
}

}  // namespace

std::vector<int32_t> parse_token_dump(const std::string& text, const std::string& name) {
  if (text.find_first_not_of("-0123456789, \n\t\r") == std::string::npos) return parse_list(text, name);
  constexpr int kDeepest = 8;
  Json json;
  try {
    json = parse_json(text, kDeepest);
  } catch (const BadJson& error) {
    throw UsageError(fmt::format("{} at byte {}: {}", name, error.byte, error.what()));
  }
  const Json* list = &list_of(json, name);
  if (list->size() == 1 && list->front().is_array()) list = &list->front();  // a batch of one
  std::vector<int32_t> ids;
  ids.reserve(list->size());
  for (const Json& item : *list) {
    const Json& id = item.is_object() && item.contains("id") ? item["id"] : item;
    const bool fits = id.is_number_integer() && id.get<int64_t>() >= INT32_MIN &&
                      id.get<int64_t>() <= INT32_MAX &&
                      !(id.is_number_unsigned() && id.get<uint64_t>() > INT32_MAX);
    if (!fits) throw UsageError(fmt::format("{}: item {} is not a token id", name, ids.size() + 1));
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

}  // namespace assay
