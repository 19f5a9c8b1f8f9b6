#include "base/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>

#include "base/load_error.h"

namespace assay {
namespace {

constexpr size_t kHugePage = size_t(2) << 20;

/// Advises on all pages that `range` touches; what the system does not know, or refuses, is no error.
[[maybe_unused]] void advise(std::span<const std::byte> range, int advice) noexcept {
  const size_t before = uintptr_t(range.data()) % page_bytes();
  if (!range.empty()) madvise(const_cast<std::byte*>(range.data()) - before, range.size() + before, advice);
}

}  // namespace

size_t page_bytes() noexcept {
  static const auto n_bytes = size_t(sysconf(_SC_PAGESIZE));
  return n_bytes;
}

LargeBlock::LargeBlock(size_t n_bytes) : n_bytes_(n_bytes) {
  if (n_bytes == 0) return;
  // Huge pages lie at multiples of their size: what is left of the first is given back.
  const bool huge = n_bytes >= 2 * kHugePage && n_bytes <= SIZE_MAX - kHugePage;
  const size_t mapped = huge ? n_bytes + kHugePage : n_bytes;
  void* const p = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw MachineError("not enough memory for " + std::to_string(n_bytes) + " bytes");
  data_ = static_cast<std::byte*>(p);
  if (!huge) return;
  const size_t before = (kHugePage - uintptr_t(p) % kHugePage) % kHugePage;
  if (before != 0) munmap(p, before);
  data_ += before;
  const size_t used = (n_bytes + page_bytes() - 1) / page_bytes() * page_bytes();
  if (before + used < mapped) munmap(data_ + used, mapped - before - used);
#if defined(MADV_HUGEPAGE)
  madvise(data_, n_bytes, MADV_HUGEPAGE);
#endif
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
