#include "base/memory.h"

#include <sys/mman.h>

#include <string>
#include <utility>

#include "base/load_error.h"

namespace assay {

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

}  // namespace assay
