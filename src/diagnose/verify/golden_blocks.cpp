#include "diagnose/verify/golden_blocks.h"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <random>
#include <string_view>

namespace assay {
namespace {

uint32_t hex(std::string_view digits) {
  uint32_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value;
}

GoldenSample parse(std::string_view type, std::string_view blocks, std::string_view hashes) {
  GoldenSample s{find_quant_type(type), {}, {}};
  for (size_t i = 0; i < blocks.size(); i += 2) s.blocks.push_back(std::byte(hex(blocks.substr(i, 2))));
  for (size_t i = 0; i < s.hashes.size(); ++i) s.hashes[i] = hex(hashes.substr(8 * i, 8));
  return s;
}

GoldenSample plain_floats() {
  std::mt19937 rng(1);
  float values[GoldenSample::kWeights];
  for (float& v : values) v = std::bit_cast<float>(uint32_t(rng()));
  GoldenSample s{find_quant_type("F32"), std::vector<std::byte>(sizeof values), {}};
  std::memcpy(s.blocks.data(), values, sizeof values);
  for (size_t i = 0; i < s.hashes.size(); ++i)
    s.hashes[i] = hash_of({values + i * GoldenSample::kRun, GoldenSample::kRun});
  return s;
}

}  // namespace

const std::vector<GoldenSample>& golden_samples() {
  static const std::vector<GoldenSample> samples = [] {
    std::vector<GoldenSample> all;
    all.push_back(plain_floats());
#define GOLDEN(type, index, blocks, hashes) all.push_back(parse(#type, blocks, hashes));
#include "diagnose/verify/golden_blocks.inc"
#undef GOLDEN
    return all;
  }();
  return samples;
}

uint32_t hash_of(std::span<const float> values) noexcept {
  uint32_t h = 0x811C9DC5;
  for (const float v : values) {
    const uint32_t bits = v == 0 ? 0 : std::isnan(v) ? 0x7FC00000 : std::bit_cast<uint32_t>(v);
    for (int shift = 0; shift < 32; shift += 8) h = (h ^ ((bits >> shift) & 255)) * 0x01000193;
  }
  return h;
}

std::vector<float> decode(const QuantType& type, DecodePath path, std::span<const std::byte> blocks) {
  const size_t n_blocks = blocks.size() / type.block_bytes;
  std::vector<float> w(n_blocks * type.block_elems);
  if (path == DecodePath::dequantize) {
    type.dequantize(blocks.data(), n_blocks, w.data());
    return w;
  }
  IntegerBlock b;
  for (size_t k = 0; k < n_blocks; ++k) {
    type.integers(blocks.data() + k * type.block_bytes, b);
    for (size_t i = 0; i < type.block_elems; ++i) {
      const size_t s = i / type.sub_elems;
      float v = b.d * float(b.scale[s]) * float(b.q[i]);
      if (type.has_mins) v -= b.dmin * float(b.min[s]);
      w[k * type.block_elems + i] = v;
    }
  }
  return w;
}

std::optional<std::string> compare_with_golden(const QuantType& decoder, DecodePath path) {
  size_t number = 0;
  for (const GoldenSample& s : golden_samples()) {
    if (s.type->id != decoder.id) continue;
    const std::vector<float> w = decode(decoder, path, s.blocks);
    for (size_t i = 0; i < s.hashes.size(); ++i) {
      const uint32_t hash = hash_of({w.data() + i * GoldenSample::kRun, GoldenSample::kRun});
      if (hash != s.hashes[i])
        return fmt::format("{} {}: weights {}..{} of sample {}: hash {:08x}, expected {:08x}", decoder.name,
                           path == DecodePath::dequantize ? "dequantize" : "integers", i * GoldenSample::kRun,
                           (i + 1) * GoldenSample::kRun - 1, number, hash, s.hashes[i]);
    }
    ++number;
  }
  return std::nullopt;
}

}  // namespace assay
