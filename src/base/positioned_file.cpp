#include "base/positioned_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/load_error.h"

namespace assay {
namespace {

constexpr size_t kMaxReadBytes = size_t(1) << 30;  // macOS refuses more than INT_MAX at once

MachineError machine_error(const std::string& path, const char* doing, int error) {
  return MachineError(printable(path, 1000) + ": cannot " + doing + ": " + std::strerror(error));
}

}  // namespace

PositionedFile::PositionedFile(const std::filesystem::path& path) : path_(path.string()) {
  do {
    fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (fd_ < 0 && errno == EINTR);
  if (fd_ < 0) throw machine_error(path_, "open", errno);
}

PositionedFile::PositionedFile(PositionedFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

PositionedFile& PositionedFile::operator=(PositionedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  return *this;
}

PositionedFile::~PositionedFile() {
  if (fd_ >= 0) ::close(fd_);
}

void PositionedFile::read_at(uint64_t offset, std::span<std::byte> out, std::string_view item) const {
  while (!out.empty()) {
    const ssize_t n = ::pread(fd_, out.data(), std::min(out.size(), kMaxReadBytes), off_t(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw machine_error(path_, "read", errno);
    if (n == 0)
      throw Truncated({path_, printable(item), offset}, "the file ends here, " + std::to_string(out.size()) +
                                                            " bytes early: it became shorter");
    out = out.subspan(size_t(n));
    offset += uint64_t(n);
  }
}

}  // namespace assay
