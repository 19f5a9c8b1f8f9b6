// A file that appears under its name only when it is complete.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace assay {

/// Writes `path` through a temporary `path.tmp-<pid>-<random>` in the same folder. commit() syncs and
/// renames; without it the destructor removes the temporary, so nothing half-written is ever under the final
/// name.
class AtomicFile {
 public:
  /// Throws MachineError with the reason when the folder cannot be written, UsageError when `path` is there
  /// and is no regular file: a device, a folder or a symbolic link is never replaced.
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Claims `n_bytes` of disk now, so that a full disk is an error before the work. Throws MachineError.
  void reserve(uint64_t n_bytes);
  /// Appends. Throws MachineError (disk full, I/O error).
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  /// Overwrites bytes already written, at `offset` from the start; they must lie within n_bytes(). Throws
  /// MachineError.
  void write_at(uint64_t offset, std::span<const std::byte> bytes);
  uint64_t n_bytes() const { return n_bytes_; }
  /// Truncates to n_bytes(), fsyncs, renames over `path`, fsyncs the folder; the last call. Throws
  /// MachineError.
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  int fd_ = -1;
  uint64_t n_bytes_ = 0;
};

}  // namespace assay
