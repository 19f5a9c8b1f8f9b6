#include "cli/terminal.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

#include "base/load_error.h"
#include "cli/command.h"

namespace assay::cli {
namespace {

[[noreturn]] void output_failed(int error) {
  if (error == EPIPE) throw ReaderGone{};
  throw MachineError(std::string("standard output: cannot write: ") + std::strerror(error));
}

std::string unwritten;  // to standard output

// Signal handlers may touch only lock-free atomics.
std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_stop(int) {
  stop_requested.store(true, std::memory_order_relaxed);
}

void on_bus_error(int) {
  constexpr char kMessage[] = "assay: a file became unreadable or shorter while it was in use\n";
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
  ::_exit(kMachineCannot);
}

void set_handler(int signal, void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

/// `text` with control characters other than newline and tab as \xNN.
std::string terminal_text(std::string_view text) {
  std::string safe;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = uint8_t(text[i]);
    const bool c1 = byte == 0xc2 && i + 1 < text.size() && uint8_t(text[i + 1]) < 0xa0;  // U+0080 to U+009F
    if (c1 || byte == 0x7f || (byte < 0x20 && byte != '\n' && byte != '\t')) {
      constexpr char kHex[] = "0123456789ABCDEF";
      const auto shown = c1 ? uint8_t(text[++i]) : byte;
      safe += {'\\', 'x', kHex[shown >> 4], kHex[shown & 15]};
    } else {
      safe += text[i];
    }
  }
  return safe;
}

}  // namespace

void print(std::string_view text) {
  constexpr size_t kEnough = size_t(1) << 16;
  unwritten += text;
  if (unwritten.size() >= kEnough) flush();
}

void print_text(std::string_view text) {
  if (output_is_terminal()) {
    print(terminal_text(text));
  } else {
    print(text);
  }
}

void print(std::span<const std::byte> bytes) {
  print(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

// Not stdio: a signal may interrupt a write, after which stdio cannot tell how much of its buffer went out.
void flush() {
  const std::string text = std::exchange(unwritten, {});
  for (size_t n_done = 0; n_done < text.size();) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data() + n_done, text.size() - n_done);
    if (n < 0 && errno == EAGAIN) {  // someone made the pipe non-blocking
      pollfd output{STDOUT_FILENO, POLLOUT, 0};
      ::poll(&output, 1, -1);
    } else if (n < 0 && errno != EINTR) {
      output_failed(errno);
    } else if (n > 0) {
      n_done += size_t(n);
    }
  }
}

void notice(std::string_view text) {
  const std::string line = "assay: " + std::string(text) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

bool read_line(std::string& line) {
  constexpr size_t kLongestLine = size_t(64) << 20;
  static std::string unread;
  StopOnSignal signal;
  for (size_t n_searched = 0;;) {
    if (const size_t end = unread.find('\n', n_searched); end != std::string::npos) {
      line = unread.substr(0, end);
      unread.erase(0, end + 1);
      return true;
    }
    n_searched = unread.size();
    if (n_searched > kLongestLine) throw UsageError("standard input: a line is longer than 64 MiB");
    char bytes[4096];
    const ssize_t n = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR) {
      if (signal.stop()) return false;
    } else if (n < 0) {
      throw MachineError(std::string("standard input: cannot read: ") + std::strerror(errno));
    } else if (n == 0) {
      line = std::exchange(unread, {});
      return !line.empty();
    } else {
      unread.append(bytes, size_t(n));
    }
  }
}

bool output_is_terminal() {
  return ::isatty(STDOUT_FILENO) == 1;
}
bool input_is_terminal() {
  return ::isatty(STDIN_FILENO) == 1;
}
bool errors_are_terminal() {
  return ::isatty(STDERR_FILENO) == 1;
}

void handle_signals() {
  set_handler(SIGPIPE, SIG_IGN, 0);
  set_handler(SIGBUS, on_bus_error, 0);
}

StopOnSignal::StopOnSignal() {
  stop_requested = false;
  for (const int signal : {SIGINT, SIGTERM}) set_handler(signal, on_stop, int(SA_RESETHAND));
}

StopOnSignal::~StopOnSignal() {
  for (const int signal : {SIGINT, SIGTERM}) set_handler(signal, SIG_DFL, 0);
}

std::atomic<bool>& StopOnSignal::stop() {
  return stop_requested;
}

}  // namespace assay::cli
