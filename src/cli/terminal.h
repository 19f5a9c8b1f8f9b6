// Standard output, messages, and signals: what the front end shares with the system.
#pragma once
#include <atomic>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace assay::cli {

/// Thrown when whoever reads standard output has gone away (`assay ... | head`): the program ends quietly.
struct ReaderGone {};

/// Writes to standard output, buffered. Throws ReaderGone, or MachineError (disk full).
void print(std::string_view text);
void print(std::span<const std::byte> bytes);
/// The same for text of a model, a file or a user: what a terminal would take for a command is shown as \xNN
/// there.
void print_text(std::string_view text);
/// Hands everything printed to the system; as print().
void flush();

/// One line on standard error: "assay: TEXT".
void notice(std::string_view text);

/// The next line of standard input, without its end. False at the end of the input, and when a signal of
/// StopOnSignal came. Throws MachineError, UsageError for a line of more than 64 MiB.
bool read_line(std::string& line);

bool output_is_terminal();
bool input_is_terminal();
bool errors_are_terminal();

/// SIGPIPE becomes ReaderGone; SIGBUS, which a mapped file raises when it shrinks, ends the program with a
/// message.
void handle_signals();

/// While it lives, the first Ctrl-C (or SIGTERM) sets stop() and interrupts a blocked read, the second kills
/// the program as usual.
class StopOnSignal {
 public:
  StopOnSignal();
  ~StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;
  std::atomic<bool>& stop();
};

}  // namespace assay::cli
