// The quant table: every stored tensor type described once. Sizes, loading, kernels, checks, docs loop.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace assay {

/// How activations are rounded before a product with a type's weights.
enum class Activations : uint8_t {
  f32,   // not at all: float products with the decoded weights
  q8_0,  // blocks of 32: int8 with an f16 scale (llama.cpp's Q8_0)
  q8_k,  // blocks of 256: int8 with an f32 scale (llama.cpp's Q8_K)
};

/// One block taken apart: w[i] = d * scale[i / sub_elems] * q[i] - dmin * min[i / sub_elems],
/// evaluated in f32 left to right; the second term only for types with mins.
struct IntegerBlock {
  float d = 0, dmin = 0;
  int16_t scale[16] = {};
  int16_t min[16] = {};
  int8_t q[256] = {};
};

/// A stored type. Layouts and their source: the type's header; ids are ggml's.
struct QuantType {
  std::string_view name;  // as llama.cpp prints it, in capitals: "Q4_K"
  uint32_t id;            // ggml_type in the file
  uint16_t block_elems;   // weights a block
  uint16_t block_bytes;   // bytes a block
  uint16_t sub_elems;     // weights sharing a scale: 16, 32 or block_elems; 1 for floats
  bool has_mins;          // the second term of IntegerBlock's formula exists
  Activations activations;
  /// n_blocks blocks (any alignment) -> n_blocks * block_elems floats. Equal to the reference bit for bit.
  void (*dequantize)(const std::byte* blocks, size_t n_blocks, float* w) noexcept;
  /// One block -> its integers. Null for types whose activations are f32.
  void (*integers)(const std::byte* block, IntegerBlock& out) noexcept;

  double bits_per_weight() const { return 8.0 * block_bytes / block_elems; }
};

/// Every type that a tensor of a supported file can have, by ascending id. The only list.
std::span<const QuantType> quant_types() noexcept;

/// The type of an id, or null: unknown or removed (see removed_quant_type).
const QuantType* find_quant_type(uint32_t id) noexcept;
/// By name, any case; null when there is none.
const QuantType* find_quant_type(std::string_view name) noexcept;
/// The name that a removed id once had ("Q4_2", "Q4_0_4_4", ...), for the error that names it.
std::optional<std::string_view> removed_quant_type(uint32_t id) noexcept;

}  // namespace assay
