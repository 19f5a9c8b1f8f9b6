// Progress of work that goes over a text in chunks, and its end by Ctrl-C.
#pragma once
#include <chrono>
#include <string_view>

#include "cli/terminal.h"

namespace assay::cli {

/// "chunk 12 of 80, KL 0.0031, 40 s left" on one line of standard error where that is a terminal, gone at the
/// end.
class ChunkProgress {
 public:
  /// `first`: chunks that an earlier run did. `noun`: what they are called.
  explicit ChunkProgress(size_t n_chunks, size_t first = 0, std::string_view noun = "chunk")
      : n_chunks_(n_chunks), first_(first), noun_(noun) {}
  ~ChunkProgress();
  ChunkProgress(const ChunkProgress&) = delete;
  ChunkProgress& operator=(const ChunkProgress&) = delete;
  /// n_done chunks are done; `state` says what the result is so far, or is empty. False when the user wants
  /// to stop.
  bool done(size_t n_done, std::string_view state);
  /// The same when there turn out to be another number of chunks.
  bool done_of(size_t n_done, size_t n_chunks, std::string_view state) {
    n_chunks_ = n_chunks;
    return done(n_done, state);
  }

 private:
  StopOnSignal signal_;
  size_t n_chunks_, first_;
  std::string_view noun_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  bool shown_ = false;
};

}  // namespace assay::cli
