#include "cli/chat_input.h"

#include "base/json.h"
#include "cli/input.h"

namespace assay::cli {

ChatTemplate load_chat_template(const std::string& path, const GgufFile& file, const Tokenizer& tokenizer) {
  if (path.empty()) return ChatTemplate::of_file(file, tokenizer);
  return ChatTemplate::of_source(read_text(path), printable(path, 1000), tokenizer);
}

nlohmann::ordered_json read_messages(const std::string& path) {
  using Json = nlohmann::ordered_json;
  constexpr int kDeepest = 64;
  const std::string name = path == "-" ? "standard input" : printable(path, 1000);
  Json json;
  try {
    json = parse_json<Json>(read_text(path), kDeepest);
  } catch (const BadJson& error) {
    throw UsageError(fmt::format("{} at byte {}: {}", name, error.byte, error.what()));
  }
  if (json.is_array()) json = Json{{"messages", std::move(json)}};
  if (!json.is_object() || !json.contains("messages") || !json["messages"].is_array())
    throw UsageError(name + ": is neither a list of messages nor an object with a list \"messages\"");
  size_t i = 0;
  for (const Json& message : json["messages"]) {
    const bool has_role = message.is_object() && message.contains("role") && message["role"].is_string();
    if (!has_role) throw UsageError(name + ": message " + std::to_string(i) + " has no \"role\"");
    ++i;
  }
  return json;
}

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::localtime_r(&now, &parts);
  return parts;
}

}  // namespace assay::cli
