// The head of one GGUF file (header, metadata, tensor directory), read and proved. Internal to src/gguf.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gguf/gguf.h"

namespace assay {

struct Directory {
  uint32_t version = 0;
  uint64_t alignment = 0;
  Metadata metadata;
  std::vector<TensorInfo> tensors;  // part is 0
};

/// Reads the head of `file`. `bytes` begin with the whole head and are viewed by the result; `file_bytes` is
/// the size of the whole file, against which the tensors' extents are proved. Throws LoadError.
Directory read_directory(std::span<const std::byte> bytes, uint64_t file_bytes, const std::string& file);

/// The names of a model's tensors, of all its files; `place` tells where an entry is. Throws BadValue when
/// two are equal.
NameIndex index_tensors(const std::vector<TensorInfo>& tensors,
                        const std::function<Place(const TensorInfo&)>& place);

/// Fills in n_elements and n_bytes of a tensor from its type and dims. The reason why a tensor cannot have
/// these, if there is one.
std::optional<std::string> measure(TensorInfo& tensor);

/// `offset` rounded up to a multiple of `alignment`, a power of two; nullopt past 2^64.
constexpr std::optional<uint64_t> align_up(uint64_t offset, uint64_t alignment) {
  const uint64_t padding = (0 - offset) & (alignment - 1);
  if (offset > UINT64_MAX - padding) return std::nullopt;
  return offset + padding;
}

}  // namespace assay
