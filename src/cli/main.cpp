// The program: finds the command, runs it, turns errors into messages and exit statuses.
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "base/load_error.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "cli/version.h"

namespace assay::cli {
namespace {

ExitStatus fail(ExitStatus status, std::string_view message) {
  notice(message);
  return status;
}

/// The one place where errors become exit statuses.
template <class Action>
ExitStatus run_guarded(const Action& action) {
  try {
    const ExitStatus status = action();
    flush();
    return status;
  } catch (const ReaderGone&) {
    return kDone;
  } catch (const MachineError& error) {
    return fail(kMachineCannot, error.what());
  } catch (const std::bad_alloc&) {
    return fail(kMachineCannot, "not enough memory");
  } catch (const std::exception& error) {
    return fail(kBadInput, error.what());
  }
}

ExitStatus run(int argc, char** argv) {
  CLI::App app("Runs GGUF language models, and proves the answers.", "assay");
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", "assay " + std::string(kVersion));
  app.footer(
      "`assay COMMAND --help` explains a command. Exit status: 0 done, 1 the check found a fault, 2 bad "
      "usage or\n"
      "input, 3 the machine cannot.");
  std::vector<CLI::App*> apps;
  std::vector<std::function<ExitStatus()>> actions;
  for (const Command* command : commands()) {
    CLI::App* sub = app.add_subcommand(std::string(command->name), std::string(command->summary));
    sub->footer(std::string(command->examples));
    sub->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    apps.push_back(sub);
    actions.push_back(command->define(*sub));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForVersion&) {
    print("assay " + std::string(kVersion) + "\n");
    return kDone;
  } catch (const CLI::CallForHelp&) {
    print(app.help());  // of the subcommand, when one was given
    return kDone;
  } catch (const CLI::ParseError& error) {
    const auto chosen = app.get_subcommands();
    const std::string name = chosen.empty() ? "" : chosen.front()->get_name() + " ";
    return fail(kBadInput, printable(error.what(), 1000) + "; see `assay " + name + "--help`");
  }
  for (size_t i = 0; i < apps.size(); ++i)
    if (apps[i]->parsed()) return actions[i]();
  print(app.help());
  return kDone;
}

}  // namespace
}  // namespace assay::cli

int main(int argc, char** argv) {
  using namespace assay::cli;
  handle_signals();
  return run_guarded([&] { return run(argc, argv); });
}
