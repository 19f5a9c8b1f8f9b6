// The only file that maps memory. POSIX: Linux and macOS.
#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "base/load_error.h"

namespace assay {
namespace {

/// Closes a descriptor at the end of a scope: a map outlives the descriptor that it was made from.
struct Descriptor {
  int fd;
  explicit Descriptor(int descriptor) : fd(descriptor) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

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

size_t page_bytes() noexcept {
  static const auto n_bytes = size_t(::sysconf(_SC_PAGESIZE));
  return n_bytes;
}

/// The first byte of the page that holds `p`.
const std::byte* page_begin(const std::byte* p) noexcept {
  return p - reinterpret_cast<uintptr_t>(p) % page_bytes();
}

}  // namespace

MappedFile MappedFile::open(const std::filesystem::path& path) {
  MappedFile file;
  file.path_ = path.string();
  const Descriptor opened(open_retrying(file.path_.c_str()));
  if (opened.fd < 0) {
    if (errno == ENOENT || errno == ENOTDIR) throw UsageError(printable(file.path_, 1000) + ": no such file");
    throw machine_error(file.path_, "open", errno);
  }
  struct stat status {};
  if (::fstat(opened.fd, &status) != 0) throw machine_error(file.path_, "examine", errno);
  if (S_ISDIR(status.st_mode)) throw UsageError(printable(file.path_, 1000) + ": is a folder, not a file");
  if (!S_ISREG(status.st_mode)) throw UsageError(printable(file.path_, 1000) + ": is not a regular file");
  if (status.st_size == 0) return file;  // mmap refuses a length of 0
  if (uint64_t(status.st_size) > std::numeric_limits<size_t>::max())
    throw machine_error(file.path_, "map", EFBIG);
  const auto n_bytes = size_t(status.st_size);
  void* mapped = ::mmap(nullptr, n_bytes, PROT_READ, MAP_PRIVATE, opened.fd, 0);
  if (mapped == MAP_FAILED) throw machine_error(file.path_, "map", errno);
  file.data_ = static_cast<const std::byte*>(mapped);
  file.n_bytes_ = n_bytes;
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      n_bytes_(std::exchange(other.n_bytes_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(n_bytes_, other.n_bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), n_bytes_);
}

void MappedFile::release(std::span<const std::byte> range) const noexcept {
  if (data_ == nullptr || range.empty()) return;
  // Rounded inwards, except at the end of the file: a page shared with a neighbouring range may still be in
  // use.
  const std::byte* const end = range.data() + range.size();
  const std::byte* const begin = page_begin(range.data() + page_bytes() - 1);
  advise(begin, end == data_ + n_bytes_ ? end : page_begin(end), MADV_DONTNEED);
}

void MappedFile::will_read(std::span<const std::byte> range) const noexcept {
  if (data_ == nullptr || range.empty()) return;
  advise(page_begin(range.data()), range.data() + range.size(), MADV_WILLNEED);
}

}  // namespace assay
