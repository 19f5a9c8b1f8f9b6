#include "base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <limits>
#include <random>
#include <utility>

#include "base/load_error.h"

namespace assay {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t(std::numeric_limits<off_t>::max());
constexpr size_t kMaxWriteBytes = size_t(1) << 30;  // macOS refuses more than INT_MAX at once

[[noreturn]] void fail(const std::filesystem::path& path, const char* doing, int error) {
  throw MachineError(printable(path.string(), 1000) + ": cannot " + doing + ": " + std::strerror(error));
}

/// Calls `system_call` until it is not interrupted; its result.
template <class Call>
auto retrying(Call system_call) {
  for (;;) {
    const auto result = system_call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

std::string random_suffix() {
  constexpr char kDigits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::random_device random;
  std::string suffix = ".tmp-" + std::to_string(::getpid()) + "-";
  for (int i = 0; i < 8; ++i) suffix += kDigits[random() % 36];
  return suffix;
}

/// Claims disk for the first n_bytes; 0 or an errno. A file system without the notion is no error.
int allocate(int fd, uint64_t n_bytes) {
#if defined(__APPLE__)
  fstore_t request{F_ALLOCATEALL, F_PEOFPOSMODE, 0, off_t(n_bytes), 0};
  const int error = ::fcntl(fd, F_PREALLOCATE, &request) == 0 ? 0 : errno;
#else
  int error = EINTR;
  while (error == EINTR) error = ::posix_fallocate(fd, 0, off_t(n_bytes));
#endif
  return error == EOPNOTSUPP || error == EINVAL || error == ENOTSUP ? 0 : error;
}

int sync_to_disk(int fd) {
#if defined(__APPLE__)
  if (::fcntl(fd, F_FULLFSYNC) == 0) return 0;  // fsync() alone stops at the drive's cache there
#endif
  return retrying([&] { return ::fsync(fd); });
}

/// Makes the new name itself durable. Some file systems cannot sync a folder (EINVAL): nothing more can be
/// done there.
void sync_folder(const std::filesystem::path& folder) {
  const int fd = retrying([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (fd < 0) fail(folder, "open", errno);
  const int error = sync_to_disk(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (error != 0 && error != EINVAL) fail(folder, "sync", error);
}

void write_all(int fd, const std::filesystem::path& path, uint64_t offset, std::span<const std::byte> bytes) {
  if (offset > kMaxFileBytes || bytes.size() > kMaxFileBytes - offset) fail(path, "write", EFBIG);
  while (!bytes.empty()) {
    const size_t n_bytes = std::min(bytes.size(), kMaxWriteBytes);
    const ssize_t n_written = retrying([&] { return ::pwrite(fd, bytes.data(), n_bytes, off_t(offset)); });
    if (n_written < 0) fail(path, "write", errno);
    if (n_written == 0) fail(path, "write", EIO);
    bytes = bytes.subspan(size_t(n_written));
    offset += uint64_t(n_written);
  }
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  struct stat status {};
  if (::lstat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    throw UsageError(printable(path_.string(), 1000) +
                     ": exists and is not a regular file; it is not replaced");
  // A name that is taken is someone else's leftover: try another.
  for (int attempt = 0; fd_ < 0; ++attempt) {
    temporary_ = path_;
    temporary_ += random_suffix();
    fd_ = retrying([&] { return ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644); });
    if (fd_ < 0 && (errno != EEXIST || attempt == 16)) fail(path_, "create", errno);
  }
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::reserve(uint64_t n_bytes) {
  assert(fd_ >= 0);
  if (n_bytes > kMaxFileBytes) fail(path_, "reserve disk space", EFBIG);
  if (n_bytes == 0) return;
  if (const int error = allocate(fd_, n_bytes); error != 0) fail(path_, "reserve disk space", error);
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  assert(fd_ >= 0);
  write_all(fd_, path_, n_bytes_, bytes);
  n_bytes_ += bytes.size();
}

void AtomicFile::write(std::string_view text) {
  write(std::as_bytes(std::span(text)));
}

void AtomicFile::write_at(uint64_t offset, std::span<const std::byte> bytes) {
  assert(fd_ >= 0 && offset <= n_bytes_ && bytes.size() <= n_bytes_ - offset);
  write_all(fd_, path_, offset, bytes);
}

void AtomicFile::commit() {
  assert(fd_ >= 0);
  if (retrying([&] { return ::ftruncate(fd_, off_t(n_bytes_)); }) != 0) fail(path_, "truncate", errno);
  if (sync_to_disk(fd_) != 0) fail(path_, "sync", errno);
  // Not retried: after an interrupted close() the descriptor is gone on Linux.
  if (::close(std::exchange(fd_, -1)) != 0 && errno != EINTR) fail(path_, "close", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(path_, "rename the temporary file", errno);
  temporary_.clear();
  sync_folder(path_.has_parent_path() ? path_.parent_path() : std::filesystem::path("."));
}

}  // namespace assay
