#include "cli/status_line.h"

#include <cstdio>
#include <string>

#include "cli/terminal.h"

namespace assay::cli {
namespace {

void write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace

StatusLine::~StatusLine() {
  if (shown_) write("\r\x1b[K");
}

void StatusLine::show(std::string_view text) {
  if (!errors_are_terminal()) return;
  write("\r\x1b[K" + std::string(text));
  shown_ = true;
}

}  // namespace assay::cli
