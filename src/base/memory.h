// Large blocks of memory for weights and caches.
#pragma once
#include <cstddef>
#include <span>

namespace assay {

/// Zeroed, 64-byte aligned, from the system directly, in huge pages where the system offers them: a stream of
/// weights through small pages spends its time on address translation. Move-only. Throws MachineError when
/// there is not enough memory.
class LargeBlock {
 public:
  LargeBlock() = default;
  explicit LargeBlock(size_t n_bytes);
  LargeBlock(LargeBlock&& other) noexcept;
  LargeBlock& operator=(LargeBlock&& other) noexcept;
  ~LargeBlock();

  std::byte* data() const { return data_; }
  size_t n_bytes() const { return n_bytes_; }

 private:
  std::byte* data_ = nullptr;
  size_t n_bytes_ = 0;
};

/// Bytes of the system's pages.
size_t page_bytes() noexcept;

/// Brings the pages of `range`, part of a LargeBlock, into reach with one call; writing them would cost a
/// page fault each otherwise. A hint.
void populate_for_writing(std::span<std::byte> range) noexcept;

}  // namespace assay
