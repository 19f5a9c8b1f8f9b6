// How numbers of the KV cache are stored.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace assay {

enum class KvType : uint8_t { f32, f16, q8_0 };

struct KvTypeInfo {
  KvType type;
  std::string_view name;
  double bytes_per_number;
  size_t group;  // numbers of a head that are rounded together; head_dim is a multiple
};

/// In the order of KvType. q8_0: 32 int8 codes and their scale, an f16 value kept as f32.
inline constexpr KvTypeInfo kKvTypes[] = {
    {KvType::f32, "f32", 4, 1}, {KvType::f16, "f16", 2, 1}, {KvType::q8_0, "q8_0", 1.125, 32}};

inline constexpr std::span<const KvTypeInfo> kv_types() {
  return kKvTypes;
}
inline constexpr const KvTypeInfo& kv_info(KvType type) {
  return kKvTypes[size_t(type)];
}

}  // namespace assay
