#include "diagnose/faults/stored.h"

#include <algorithm>
#include <cstring>

namespace assay::stored {

void read_file(const StoredTensor& tensor, int64_t offset, std::span<std::byte> out) {
  const auto file = tensor.file.bytes(tensor.info.part);
  std::ranges::fill(out, std::byte{});
  const int64_t begin = std::clamp<int64_t>(offset, 0, int64_t(file.size()));
  const int64_t end = std::clamp<int64_t>(offset + int64_t(out.size()), begin, int64_t(file.size()));
  if (begin < end) std::memcpy(out.data() + (begin - offset), file.data() + begin, size_t(end - begin));
}

void decode_blocks(const StoredTensor& tensor, const QuantType& type, int64_t first_offset, int64_t stride,
                   std::span<float> values) {
  constexpr size_t kBlocksAtOnce = 64;
  std::vector<std::byte> blocks(kBlocksAtOnce * type.block_bytes);
  std::vector<float> decoded(kBlocksAtOnce * type.block_elems);
  int64_t offset = first_offset;
  for (size_t done = 0; done < values.size(); done += decoded.size()) {
    const size_t n_values = std::min(values.size() - done, decoded.size());
    const size_t n_blocks = (n_values + type.block_elems - 1) / type.block_elems;
    if (stride == type.block_bytes) {
      read_file(tensor, offset, std::span(blocks).first(n_blocks * type.block_bytes));
    } else {
      for (size_t k = 0; k < n_blocks; ++k)
        read_file(tensor, offset + int64_t(k) * stride,
                  std::span(blocks).subspan(k * type.block_bytes, type.block_bytes));
    }
    offset += int64_t(n_blocks) * stride;
    type.dequantize(blocks.data(), n_blocks, decoded.data());
    std::copy_n(decoded.begin(), n_values, values.begin() + ptrdiff_t(done));
  }
}

void decode(const StoredTensor& tensor, std::span<float> values) {
  decode_blocks(tensor, *tensor.info.type, int64_t(tensor.info.file_offset), tensor.info.type->block_bytes,
                values);
}

bool has_role(const TensorInfo& info, std::string_view role) {
  if (!info.name.ends_with(role)) return false;
  return info.name.size() == role.size() || info.name[info.name.size() - role.size() - 1] == '.';
}

const TensorInfo* sibling(const StoredTensor& tensor, std::string_view role, std::string_view other) {
  if (!has_role(tensor.info, role)) return nullptr;
  std::string name(tensor.info.name.substr(0, tensor.info.name.size() - role.size()));
  const TensorInfo* found = tensor.file.find(name += other);
  return found && std::ranges::equal(found->dims, tensor.info.dims) ? found : nullptr;
}

}  // namespace assay::stored
