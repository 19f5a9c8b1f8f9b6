// assay diagnose --tokens: another engine's token ids.
#include "diagnose/tokens/diagnose_tokens.h"

#include <fmt/format.h>

#include "cli/chat_input.h"
#include "cli/diagnose_options.h"
#include "cli/input.h"
#include "cli/status_line.h"
#include "cli/terminal.h"

namespace assay::cli {
namespace {

PromptSource read_source(const DiagnoseOptions& o) {
  const int n_given = int(o.text.has_value()) + int(!o.text_file.empty()) + int(!o.messages.empty());
  if (n_given != 1) throw UsageError("--tokens needs the prompt: one of --text, --text-file and --messages");
  if (!o.messages.empty()) return {{}, read_messages(o.messages)};
  return {o.text ? *o.text : read_text(o.text_file), nullptr};
}

/// A list on the command line, or a file of them.
std::vector<int32_t> read_ids(const std::string& given) {
  if (given.find_first_not_of("-0123456789, ") == std::string::npos && given != "-")
    return parse_token_dump(given, "--tokens");
  return parse_token_dump(read_text(given, size_t(1) << 26),
                          given == "-" ? "standard input" : printable(given, 1000));
}

Finding run(const DiagnoseOptions& o) {
  const PromptSource source = read_source(o);
  const std::vector<int32_t> ids = read_ids(o.tokens);
  const GgufFile file = GgufFile::open(o.model.path);
  const std::unique_ptr<const Tokenizer> tokenizer = make_tokenizer(file.metadata());
  for (const std::string& warning : tokenizer->warnings()) notice("warning: " + warning);
  StatusLine status;
  return diagnose_tokens(
      file, *tokenizer, source, ids,
      [&](size_t n_done, size_t n_all) { status.show(fmt::format("fault {} of {}", n_done, n_all)); },
      o.hidden());
}

}  // namespace

extern const DiagnoseMode diagnose_mode_tokens{"--tokens", &DiagnoseOptions::tokens, run};

}  // namespace assay::cli
