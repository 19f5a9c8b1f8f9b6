// Reading parts of a file by their offsets.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace assay {

/// An open file without a position: unlike a map, one that became shorter in the meantime gives an error, not
/// a signal. Move-only; any number of threads may read at once.
class PositionedFile {
 public:
  /// Throws MachineError when `path` cannot be opened.
  explicit PositionedFile(const std::filesystem::path& path);
  /// Takes over an open descriptor; `path` is what errors call it.
  PositionedFile(int descriptor, std::string path) noexcept : path_(std::move(path)), fd_(descriptor) {}
  PositionedFile() = default;
  PositionedFile(PositionedFile&& other) noexcept;
  PositionedFile& operator=(PositionedFile&& other) noexcept;
  ~PositionedFile();

  /// Fills `out` from `offset`. Throws Truncated, naming `item`, where the file ends before; MachineError.
  void read_at(uint64_t offset, std::span<std::byte> out, std::string_view item) const;
  const std::string& path() const { return path_; }
  int descriptor() const { return fd_; }

 private:
  std::string path_;
  int fd_ = -1;
};

}  // namespace assay
