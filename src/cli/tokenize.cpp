// assay tokenize: text to token ids and pieces.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "cli/chat_input.h"
#include "cli/inject.h"
#include "cli/input.h"
#include "cli/json_output.h"
#include "cli/terminal.h"
#include "diagnose/tokens/faulty_tokenizer.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

namespace assay::cli {
namespace {

struct Options {
  std::string model, file, messages;
  std::optional<std::string> text;
  std::vector<std::string> inject;
  size_t n_context = SIZE_MAX;
  bool json = false, no_bos = false, no_eos = false, no_parse_special = false;
};

std::string input_text(const Options& o) {
  if (o.text && !o.file.empty()) throw UsageError("give TEXT or --file, not both");
  if (o.text) return *o.text;
  if (o.file.empty() && input_is_terminal()) throw UsageError("give TEXT, --file, or pipe the text in");
  return read_text(o.file.empty() ? "-" : o.file);
}

/// The ids of a text.
std::vector<int32_t> encode_text(const Options& o, const Tokenizer& tokenizer) {
  EncodeOptions options;
  if (o.no_bos) options.add_bos = false;
  if (o.no_eos) options.add_eos = false;
  options.parse_special = !o.no_parse_special;
  return tokenizer.encode(input_text(o), options);
}

/// The ids of a prompt as an engine makes them, with the faults of --inject if any.
std::vector<int32_t> encode_prompt_of(const Options& o, const GgufFile& file, const Tokenizer& tokenizer) {
  PromptSource source;
  if (o.messages.empty())
    source.text = input_text(o);
  else
    source.chat = read_messages(o.messages);
  const FaultyTokenizer engine(file, tokenizer, need_faults(o.inject));
  if (!engine.applies()) fail_untouched(o.inject, "the vocabulary");
  if (std::optional<std::vector<int32_t>> ids = engine.encode(source, o.n_context)) return *ids;
  fail_untouched(o.inject, "the prompt");
}

/// A piece that is not UTF-8 by itself, such as one byte of a character, becomes the list of its bytes.
nlohmann::ordered_json piece_json(std::string_view piece) {
  if (find_invalid_utf8(piece) == std::string_view::npos) return piece;
  nlohmann::ordered_json bytes = nlohmann::ordered_json::array();
  for (const char c : piece) bytes.push_back(uint8_t(c));
  return bytes;
}

ExitStatus run(const Options& o) {
  const GgufFile file = GgufFile::open(o.model);
  const std::unique_ptr<const Tokenizer> tokenizer = make_tokenizer(file.metadata());
  for (const std::string& warning : tokenizer->warnings()) notice("warning: " + warning);
  const std::vector<int32_t> ids = o.messages.empty() && o.inject.empty()
                                       ? encode_text(o, *tokenizer)
                                       : encode_prompt_of(o, file, *tokenizer);
  if (o.json) {
    nlohmann::ordered_json pieces = nlohmann::ordered_json::array();
    for (const int32_t id : ids) pieces.push_back(piece_json(tokenizer->piece(id)));
    print_json({{"ids", ids}, {"pieces", std::move(pieces)}});
    return kDone;
  }
  for (const int32_t id : ids)
    print(fmt::format("{:>7}  \"{}\"\n", id, printable(tokenizer->piece(id), 1000)));
  return kDone;
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  app.add_option("MODEL", o->model, "GGUF file; one with a vocabulary and no tensors is enough")->required();
  app.add_option("TEXT", o->text, "Text; without it and --file, standard input when that is piped");
  app.add_option("-f,--file", o->file, "Read the text from this file; - is standard input");
  CLI::Option* messages =
      app.add_option("-m,--messages", o->messages,
                     "Instead of a text: a conversation, a JSON file as for `assay template`")
          ->excludes("TEXT", "--file");
  add_inject_option(app, o->inject, "The ids that a tokenizer or template with these faults makes");
  app.add_option("--context", o->n_context, "The most ids that a fault of the context leaves")
      ->needs("--inject")
      ->option_text("N");
  app.add_flag("--json", o->json, "Print {\"ids\": [...], \"pieces\": [...]}");
  app.add_flag("--no-bos", o->no_bos, "Add no token at the beginning, whatever the file asks for");
  app.add_flag("--no-eos", o->no_eos, "Add no token at the end, whatever the file asks for");
  app.add_flag("--no-parse-special", o->no_parse_special,
               "Take control tokens spelled out in the text as plain text");
  for (const char* flag : {"--no-bos", "--no-eos", "--no-parse-special"})
    app.get_option(flag)->excludes(messages)->excludes("--inject");
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_tokenize{
    "tokenize", "Show the token ids of a text",
    "Example: assay tokenize model.gguf \"Once upon a time\"\n"
    "         assay tokenize model.gguf --file book.txt --json | jq '.ids | length'\n"
    "Text from a file or a pipe is taken byte for byte. In JSON, a piece that is not UTF-8 by itself (a part "
    "of a\n"
    "character) is the list of its bytes instead of a string.",
    define};

}  // namespace assay::cli
