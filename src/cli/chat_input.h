// What `assay template` and `assay chat` share: the template chosen, messages from a file, today's date.
#pragma once
#include <ctime>
#include <string>

#include "runtime/chat_prompt.h"

namespace assay::cli {

/// The template in `path`, or the file's own when `path` is empty.
ChatTemplate load_chat_template(const std::string& path, const GgufFile& file, const Tokenizer& tokenizer);

/// The variables of a template from a JSON file ("-": standard input): a list of messages, or an object with
/// "messages" and whatever else the template reads. Throws UsageError naming the place of a mistake.
nlohmann::ordered_json read_messages(const std::string& path);

std::tm local_time();

}  // namespace assay::cli
