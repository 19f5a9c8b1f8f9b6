#include "cli/chunk_progress.h"

#include <fmt/format.h>

#include <cstdio>

namespace assay::cli {
namespace {

void write(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace

ChunkProgress::~ChunkProgress() {
  if (shown_) write("\r\x1b[K");
}

bool ChunkProgress::done(size_t n_done, std::string_view state) {
  if (errors_are_terminal()) {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    const double left = seconds / double(n_done - first_) * double(n_chunks_ - n_done);
    write(fmt::format("\r\x1b[K{} {} of {}, {}{}{:.0f} s left", noun_, n_done, n_chunks_, state,
                      state.empty() ? "" : ", ", left));
    shown_ = true;
  }
  return !signal_.stop().load(std::memory_order_relaxed);
}

}  // namespace assay::cli
