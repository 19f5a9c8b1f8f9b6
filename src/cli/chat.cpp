// assay chat: a conversation in the terminal.
#include <fmt/format.h>

#include <memory>

#include "cli/chat_input.h"
#include "cli/command.h"
#include "cli/generation_options.h"
#include "cli/terminal.h"
#include "tokenizer/utf8.h"

namespace assay::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  GenerationOptions generation;
  std::string system, chat_template;
};

/// The conversation so far, with the session that holds the part of it that was computed.
class Conversation {
 public:
  Conversation(const Options& o, LoadedModel& loaded, Clock::time_point begin)
      : options_(o),
        loaded_(loaded),
        begin_(begin),
        template_(load_chat_template(o.chat_template, loaded.model().file(), loaded.tokenizer())),
        session_(make_session(loaded, o.generation)),
        speculation_(make_speculation(loaded.tokenizer(), o.generation, session_.n_ctx())),
        sampler_(make_sampler(loaded.tokenizer(), o.generation)) {
    timings_.load_seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    reset();
  }

  void reset() {
    messages_ = Json::array();
    if (!options_.system.empty()) messages_.push_back({{"role", "system"}, {"content", options_.system}});
    session_.reset();
  }

  /// Prints the answer to one message. A message that does not fit is taken back.
  void answer(const std::string& message) {
    messages_.push_back({{"role", "user"}, {"content", message}});
    const ChatPrompt prompt = template_.render({{"messages", messages_}}, local_time());
    if (prompt.ids.size() > session_.n_ctx()) {
      messages_.erase(messages_.size() - 1);
      notice(fmt::format("the conversation would have {} tokens, the context {}: /reset begins a new one",
                         prompt.ids.size(), session_.n_ctx()));
      return;
    }
    GenerateOptions options;
    options.n_predict = options_.generation.n_predict.value_or(SIZE_MAX);
    options.stop_strings = options_.generation.stop_strings;
    options.render_special = options_.generation.render_special;
    options.drafter = speculation_.drafter.get();
    options.n_draft = options_.generation.n_draft;
    StopOnSignal signal;
    options.cancel = &signal.stop();
    std::string reply;
    const size_t n_kept = session_.keep_prefix(prompt.ids);
    const GenerateResult result = generate(
        session_, loaded_.tokenizer(), sampler_, std::span(prompt.ids).subspan(n_kept), options,
        [&](std::string_view text) {
          if (timings_.first_text_seconds == 0)
            timings_.first_text_seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
          reply += text;
          print_text(text);
          flush();
        });
    print("\n");
    flush();
    report_end(result, session_);
    if (options_.generation.stats) print_stats(result, timings_, loaded_, session_, sampler_);
    messages_.push_back({{"role", "assistant"}, {"content", reply}});
  }

 private:
  const Options& options_;
  LoadedModel& loaded_;
  Clock::time_point begin_;
  ChatTemplate template_;
  Session session_;
  Speculation speculation_;
  Sampler sampler_;
  Timings timings_;
  Json messages_;
};

ExitStatus run(const Options& o) {
  const Clock::time_point begin = Clock::now();
  const std::unique_ptr<LoadedModel> loaded = load_model(o.generation.model, true);
  Conversation conversation(o, *loaded, begin);
  const bool at_terminal = input_is_terminal() && output_is_terminal();
  if (at_terminal) print("/reset begins anew, /exit ends; Ctrl-C stops an answer.\n");
  for (std::string line;;) {
    if (at_terminal) print("> ");
    flush();
    if (!read_line(line)) break;
    if (line.empty()) continue;
    if (line == "/exit") return kDone;
    if (line == "/reset") {
      conversation.reset();
      continue;
    }
    if (const size_t bad = find_invalid_utf8(line); bad != std::string::npos) {
      notice(fmt::format("the message is not valid UTF-8: byte {}", bad));
      continue;
    }
    conversation.answer(line);
  }
  if (at_terminal) print("\n");
  return kDone;
}

std::function<ExitStatus()> define(CLI::App& app) {
  const auto o = std::make_shared<Options>();
  add_generation_options(app, o->generation);
  app.add_option("--system", o->system, "System message that begins the conversation");
  app.add_option("--chat-template", o->chat_template, "Use the template in this file, not the model's");
  return [o] { return run(*o); };
}

}  // namespace

extern const Command command_chat{
    "chat", "Talk to a model that has a chat template",
    "Example: assay chat model.gguf --system \"Answer in one sentence.\" --temp 0.7\n"
    "One line is one message. /reset begins a new conversation, /exit ends.",
    define};

}  // namespace assay::cli
