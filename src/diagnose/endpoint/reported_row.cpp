#include <fmt/format.h>

#include <cmath>

#include "base/load_error.h"
#include "diagnose/endpoint/endpoint.h"

namespace assay {
namespace {

using Json = nlohmann::json;

const Json* find(const Json& json, const char* key) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? nullptr : &*found;
}
const Json* first_of(const Json* list) {
  return list && list->is_array() && !list->empty() ? &list->front() : nullptr;
}

/// One alternative: {"token", "bytes", "id", "logprob"} of newer APIs, {"tok_str", "prob"} of older ones.
ReportedToken parse_token(const Json& json, const std::string& place) {
  ReportedToken token;
  const Json* text = find(json, "token");
  if (!text) text = find(json, "tok_str");
  if (text && text->is_string()) token.text = text->get<std::string>();
  if (const Json* bytes = find(json, "bytes"); bytes && bytes->is_array() && !bytes->empty()) {
    token.text.clear();
    for (const Json& byte : *bytes) {
      if (!byte.is_number_unsigned() || byte.get<uint64_t>() > 255)
        throw UsageError(place + ": \"bytes\" holds no bytes");
      token.text += char(byte.get<uint64_t>());
    }
  }
  if (const Json* id = find(json, "id"); id && id->is_number_unsigned() && id->get<uint64_t>() <= INT32_MAX)
    token.id = id->get<int32_t>();
  if (!text && !token.id) throw UsageError(place + ": an alternative has neither a text nor an id");
  const Json* logprob = find(json, "logprob");
  const Json* prob = find(json, "prob");
  if (logprob && logprob->is_number())
    token.logprob = logprob->get<double>();
  else if (prob && prob->is_number())
    token.logprob = std::log(prob->get<double>());
  else
    throw UsageError(place + ": an alternative has no \"logprob\"");
  constexpr double kRounding = 1e-3;
  if (std::isnan(token.logprob) || token.logprob > kRounding)
    throw UsageError(fmt::format("{}: {} is no log-probability", place, token.logprob));
  return token;
}

}  // namespace

ReportedRow parse_reported_row(const Json& answer, const std::string& place) {
  const Json* logprobs = nullptr;
  if (const Json* choice = first_of(find(answer, "choices"))) logprobs = find(*choice, "logprobs");
  const Json* position = logprobs ? first_of(find(*logprobs, "content")) : nullptr;
  if (!position) position = first_of(find(answer, "completion_probabilities"));
  ReportedRow row;
  if (position) {
    const Json* list = find(*position, "top_logprobs");
    if (!list) list = find(*position, "top_probs");
    if (!list) list = find(*position, "probs");
    if (list && list->is_array())
      for (const Json& item : *list) row.push_back(parse_token(item, place));
  } else if (const Json* texts = logprobs ? first_of(find(*logprobs, "top_logprobs")) : nullptr;
             texts && texts->is_object()) {
    for (const auto& [text, logprob] : texts->items())
      row.push_back(parse_token({{"token", text}, {"logprob", logprob}}, place));
  }
  constexpr size_t kFewest = 2, kMost = 1 << 20;
  if (row.size() < kFewest || row.size() > kMost)
    throw UsageError(
        fmt::format("{}: the answer holds {} alternatives of the next token: the engine must give "
                    "log-probabilities (logprobs, top_logprobs, n_probs)",
                    place, row.size()));
  return row;
}

}  // namespace assay
