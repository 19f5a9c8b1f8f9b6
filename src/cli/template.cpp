// assay template: a conversation as the model's chat template writes it.
#include <memory>

#include "cli/chat_input.h"
#include "cli/command.h"
#include "cli/json_output.h"
#include "cli/terminal.h"

namespace assay::cli {
namespace {

struct Options {
  std::string model, messages, chat_template;
  bool no_generation_prompt = false, source = false, json = false;
};

ExitStatus run(const Options& o) {
  const GgufFile file = GgufFile::open(o.model);
  const std::unique_ptr<const Tokenizer> tokenizer = make_tokenizer(file.metadata());
  const ChatTemplate chat = load_chat_template(o.chat_template, file, *tokenizer);
  if (o.source) {
    print_text(chat.source());
    return kDone;
  }
  nlohmann::ordered_json variables = {{"messages", {{{"role", "user"}, {"content", "Hello"}}}}};
  if (!o.messages.empty()) variables = read_messages(o.messages);
  if (o.no_generation_prompt) variables["add_generation_prompt"] = false;
  const ChatPrompt prompt = chat.render(variables, local_time());
  if (o.json) {
    print_json({{"prompt", prompt.text}, {"ids", prompt.ids}});
  } else {
    print_text(prompt.text);
  }
  return kDone;
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  app.add_option("MODEL", o->model, "GGUF file; one with a vocabulary and no tensors is enough")->required();
  app.add_option("-m,--messages", o->messages,
                 "JSON file (- is standard input): a list of {\"role\", \"content\"}, or an object with "
                 "\"messages\" and "
                 "other variables of the template (default: one message, \"Hello\")");
  app.add_option("--chat-template", o->chat_template, "Use the template in this file, not the model's");
  app.add_flag("--no-generation-prompt", o->no_generation_prompt, "Do not begin the assistant's answer");
  app.add_flag("--source", o->source, "Print the template itself");
  app.add_flag("--json", o->json, "Print {\"prompt\": ..., \"ids\": [...]}");
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_template{
    "template", "Show a conversation as the model's chat template writes it",
    "Example: assay template model.gguf --messages talk.json\n"
    "         echo '[{\"role\": \"user\", \"content\": \"Hi\"}]' | assay template model.gguf -m - --json",
    define};

}  // namespace assay::cli
