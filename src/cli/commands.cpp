#include <array>

#include "cli/command.h"

namespace assay::cli {

#define COMMAND(name) extern const Command command_##name;
#include "cli/commands.inc"
#undef COMMAND

namespace {

constexpr std::array kCommands = {
#define COMMAND(name) &command_##name,
#include "cli/commands.inc"
#undef COMMAND
};

}  // namespace

std::span<const Command* const> commands() noexcept {
  return kCommands;
}

}  // namespace assay::cli
