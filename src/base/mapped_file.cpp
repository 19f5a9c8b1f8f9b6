// The only file that maps files. POSIX: Linux and macOS.
#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "base/load_error.h"
#include "base/memory.h"

namespace assay {
namespace {

int open_retrying(const char* path) {
  // O_NONBLOCK: opening a pipe must not wait for its writer; it has no effect on regular files.
  for (;;) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 || errno != EINTR) return fd;
  }
}

MachineError machine_error(const std::string& path, const char* doing, int error) {
  return MachineError(printable(path, 1000) + ": cannot " + doing + ": " + std::strerror(error));
}

/// madvise() takes whole pages; an advice that the system refuses is no error.
void advise(const std::byte* begin, const std::byte* end, int advice) noexcept {
  if (begin < end) ::madvise(const_cast<std::byte*>(begin), size_t(end - begin), advice);
}

/// The first byte of the page that holds `p`.
const std::byte* page_begin(const std::byte* p) noexcept {
  return p - reinterpret_cast<uintptr_t>(p) % page_bytes();
}

}  // namespace

MappedFile MappedFile::open(const std::filesystem::path& path) {
  MappedFile file;
  file.file_ = PositionedFile(open_retrying(path.c_str()), path.string());
  const int fd = file.file_.descriptor();
  const std::string& name = file.path();
  if (fd < 0) {
    if (errno == ENOENT || errno == ENOTDIR) throw UsageError(printable(name, 1000) + ": no such file");
    throw machine_error(name, "open", errno);
  }
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw machine_error(name, "examine", errno);
  if (S_ISDIR(status.st_mode)) throw UsageError(printable(name, 1000) + ": is a folder, not a file");
  if (!S_ISREG(status.st_mode)) throw UsageError(printable(name, 1000) + ": is not a regular file");
  if (status.st_size == 0) return file;  // mmap refuses a length of 0
  if (uint64_t(status.st_size) > std::numeric_limits<size_t>::max()) throw machine_error(name, "map", EFBIG);
  const auto n_bytes = size_t(status.st_size);
  void* mapped = ::mmap(nullptr, n_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  if (mapped == MAP_FAILED) throw machine_error(name, "map", errno);
  file.data_ = static_cast<const std::byte*>(mapped);
  file.n_bytes_ = n_bytes;
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : file_(std::move(other.file_)),
      data_(std::exchange(other.data_, nullptr)),
      n_bytes_(std::exchange(other.n_bytes_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(data_, other.data_);
  std::swap(n_bytes_, other.n_bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), n_bytes_);
}

void MappedFile::read(std::span<const std::byte> range, std::byte* out, std::string_view item) const {
  file_.read_at(uint64_t(range.data() - data_), {out, range.size()}, item);
}

void MappedFile::will_read(std::span<const std::byte> range) const noexcept {
  if (data_ == nullptr || range.empty()) return;
  advise(page_begin(range.data()), range.data() + range.size(), MADV_WILLNEED);
}

}  // namespace assay
