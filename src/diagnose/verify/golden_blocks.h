// Blocks whose weights llama.cpp's decoder told: the oracle of decoders, carried in the program.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "quant/table.h"

namespace assay {

/// 256 weights in one block or several. What they decode to is known by a hash of every 16.
struct GoldenSample {
  static constexpr size_t kWeights = 256, kRun = 16;
  const QuantType* type;
  std::vector<std::byte> blocks;
  std::array<uint32_t, kWeights / kRun> hashes;
};

/// Every type of the table but F32, a few samples each, subnormal and large steps among them. F32 is not in
/// llama.cpp's vectors: its sample is made here, and decodes to itself.
const std::vector<GoldenSample>& golden_samples();

/// FNV-1a of 32 bits over the little-endian bits of `values`, -0 taken as 0 and every NaN as 0x7fc00000.
uint32_t hash_of(std::span<const float> values) noexcept;

/// The two ways that decoders are asked: the floats, or the integers and the formula of IntegerBlock.
enum class DecodePath : uint8_t { dequantize, integers };
/// n_blocks blocks decoded in that way; `integers` only for types that have them.
std::vector<float> decode(const QuantType& type, DecodePath path, std::span<const std::byte> blocks);

/// Which weights of a sample a decoder gets wrong: "weights 32..47 of sample 3". `decoder` is the type's row,
/// or a faulty one of its id.
std::optional<std::string> compare_with_golden(const QuantType& decoder, DecodePath path);

}  // namespace assay
