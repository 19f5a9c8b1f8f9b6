#include "base/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "base/load_error.h"

namespace assay {
namespace {

/// Advises on all pages that `range` touches; what the system does not know, or refuses, is no error.
[[maybe_unused]] void advise(std::span<const std::byte> range, int advice) noexcept {
  static const auto page_bytes = uintptr_t(sysconf(_SC_PAGESIZE));
  const auto address = uintptr_t(range.data());
  const uintptr_t before = address % page_bytes;
  if (!range.empty()) madvise(const_cast<std::byte*>(range.data()) - before, range.size() + before, advice);
}

}  // namespace

LargeBlock::LargeBlock(size_t n_bytes) : n_bytes_(n_bytes) {
  if (n_bytes == 0) return;
  void* const p = mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw MachineError("not enough memory for " + std::to_string(n_bytes) + " bytes");
#if defined(MADV_HUGEPAGE)
  if (n_bytes >= (size_t(4) << 20)) madvise(p, n_bytes, MADV_HUGEPAGE);
#endif
  data_ = static_cast<std::byte*>(p);
}

LargeBlock::LargeBlock(LargeBlock&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), n_bytes_(std::exchange(other.n_bytes_, 0)) {}

LargeBlock& LargeBlock::operator=(LargeBlock&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(n_bytes_, other.n_bytes_);
  return *this;
}

LargeBlock::~LargeBlock() {
  if (data_) munmap(data_, n_bytes_);
}

void populate_for_writing([[maybe_unused]] std::span<std::byte> range) noexcept {
#if defined(MADV_POPULATE_WRITE)
  advise(range, MADV_POPULATE_WRITE);
#endif
}

}  // namespace assay
