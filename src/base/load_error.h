// Errors of input: what was being read, where, and what is wrong with it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace assay {

/// Where in the input a problem is.
struct Place {
  std::string file;
  std::string item;  // a key, a tensor, a header field; printable (see printable())
  uint64_t offset = 0;
};

/// Base of every error that input can cause. what() is `FILE: ITEM at byte N: problem`; exit status 2.
struct LoadError : std::runtime_error {
  /// `problem` is shown as it is: quote text of the file with printable().
  LoadError(Place p, const std::string& problem);
  Place place;
};

/// The file ends before the item does.
struct Truncated : LoadError {
  using LoadError::LoadError;
};
/// The item is there and its value is not allowed.
struct BadValue : LoadError {
  using LoadError::LoadError;
};
/// The item is well-formed and Assay has no code for it (an architecture, a tensor type, a version).
struct Unsupported : LoadError {
  using LoadError::LoadError;
};
/// An item that must be there is not.
struct Missing : LoadError {
  using LoadError::LoadError;
};
/// A tensor's shape is not what the hyperparameters ask for.
struct ShapeMismatch : LoadError {
  using LoadError::LoadError;
};

/// Bad usage or input with no place in a file. what() is shown as it is; exit status 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// The machine cannot: memory, disk, permissions. Exit status 3.
struct MachineError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// `text` made safe for a terminal: control characters, direction marks, zero-width characters and invalid
/// UTF-8 as \xNN. At most `max_bytes` of `text`, cut between characters and marked with "..." when there is
/// more.
std::string printable(std::string_view text, size_t max_bytes = 100);

}  // namespace assay
