// assay tokenize: text to token ids and pieces.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "cli/command.h"
#include "cli/input.h"
#include "cli/json_output.h"
#include "cli/terminal.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

namespace assay::cli {
namespace {

struct Options {
  std::string model, file;
  std::optional<std::string> text;
  bool json = false, no_bos = false, no_eos = false, no_parse_special = false;
};

std::string input_text(const Options& o) {
  if (o.text && !o.file.empty()) throw UsageError("give TEXT or --file, not both");
  if (o.text) return *o.text;
  if (o.file.empty() && input_is_terminal()) throw UsageError("give TEXT, --file, or pipe the text in");
  return read_text(o.file.empty() ? "-" : o.file);
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
  EncodeOptions options;
  if (o.no_bos) options.add_bos = false;
  if (o.no_eos) options.add_eos = false;
  options.parse_special = !o.no_parse_special;
  const std::vector<int32_t> ids = tokenizer->encode(input_text(o), options);
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
  app.add_flag("--json", o->json, "Print {\"ids\": [...], \"pieces\": [...]}");
  app.add_flag("--no-bos", o->no_bos, "Add no token at the beginning, whatever the file asks for");
  app.add_flag("--no-eos", o->no_eos, "Add no token at the end, whatever the file asks for");
  app.add_flag("--no-parse-special", o->no_parse_special,
               "Take control tokens spelled out in the text as plain text");
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
