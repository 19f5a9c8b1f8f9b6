// Reading what the user names on the command line.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay::cli {

/// A file opened for reading; "-" is standard input.
class InputFile {
 public:
  /// Throws UsageError (absent, a folder) or MachineError (permissions).
  explicit InputFile(const std::string& path);
  /// The next bytes, fewer than asked for only at the end. Throws MachineError.
  size_t read(std::span<std::byte> out);
  /// For messages.
  const std::string& name() const { return name_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::string name_;
  std::unique_ptr<std::FILE, Close> owned_;
  std::FILE* file_ = nullptr;
};

/// All of a file ("-": standard input) of at most `max_bytes`. Throws as InputFile, UsageError when it is
/// longer.
std::string read_text(const std::string& path, size_t max_bytes = size_t(1) << 28);

/// "1,2,3" (blanks allowed) as token ids, each below vocab_size; at least one. Throws UsageError naming the
/// place.
std::vector<int32_t> parse_token_ids(std::string_view text, size_t vocab_size);

}  // namespace assay::cli
