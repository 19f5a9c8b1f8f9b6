// What a subcommand is. One file each, listed in commands.inc.
#pragma once
// CLI11: subcommands, validated options and generated help from one declaration each, in one header of
// Debian's.
#include <CLI/CLI.hpp>
#include <functional>
#include <span>
#include <string_view>

namespace assay::cli {

/// The program's exit statuses.
enum ExitStatus : int {
  kDone = 0,
  kFaultFound = 1,     // a check found what it looks for
  kBadInput = 2,       // usage, or the input
  kMachineCannot = 3,  // memory, disk, permissions
};

struct Command {
  std::string_view name;
  std::string_view summary;   // one line
  std::string_view examples;  // ends its help
  /// Adds the command's options to `app`. The action runs after they are parsed; it throws the errors of
  /// load_error.h.
  std::function<ExitStatus()> (*define)(CLI::App& app);
};

/// In the order of commands.inc, which is the order of `assay --help`.
std::span<const Command* const> commands() noexcept;

}  // namespace assay::cli
