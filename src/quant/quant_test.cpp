#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "quant/codebooks.h"
#include "quant/fields.h"
#include "quant/golden_test.h"
#include "quant/table.h"
#include "quant/type_list.h"

namespace assay {
namespace {

// Equal bits, except that -0 = +0 and any NaN = any NaN.
bool same(float a, float b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

std::vector<float> dequantize(const QuantType& type, const std::vector<std::byte>& blocks) {
  const size_t n_blocks = blocks.size() / type.block_bytes;
  std::vector<float> w(n_blocks * type.block_elems);
  type.dequantize(blocks.data(), n_blocks, w.data());
  return w;
}

// Scales are random bytes too, so some are infinite or NaN.
std::vector<std::byte> random_blocks(const QuantType& type, size_t n_blocks, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::byte> blocks(n_blocks * type.block_bytes);
  for (std::byte& b : blocks) b = std::byte(random() & 255);
  return blocks;
}

const QuantType& type_named(const char* name) {
  const QuantType* type = find_quant_type(name);
  EXPECT_NE(type, nullptr) << name;
  return *type;
}

TEST(QuantTable, AgreesWithTheReferencesManifest) {
  const auto manifest = nlohmann::json::parse(read_golden<char>("manifest.json"));
  for (const QuantType& type : quant_types()) {
    if (type.name == "F32") continue;
    SCOPED_TRACE(type.name);
    const auto& entry = manifest.at("types").at(std::string(type.name));
    EXPECT_EQ(type.id, entry.at("ggml_type").get<uint32_t>());
    EXPECT_EQ(type.block_elems, entry.at("block_elems").get<int>());
    EXPECT_EQ(type.block_bytes, entry.at("block_bytes").get<int>());
    EXPECT_EQ(type.bits_per_weight(), entry.at("bits_per_weight").get<double>());
  }
  EXPECT_EQ(quant_types().size(), manifest.at("types").size() + 1);
}

TEST(QuantTable, IdsAscendAndNamesAreUnique) {
  std::set<std::string_view> names;
  for (size_t k = 0; k < quant_types().size(); ++k) {
    const QuantType& type = quant_types()[k];
    SCOPED_TRACE(type.name);
    if (k > 0) {
      EXPECT_GT(type.id, quant_types()[k - 1].id);
    }
    EXPECT_TRUE(names.insert(type.name).second);
    EXPECT_EQ(find_quant_type(type.id), &type);
    EXPECT_EQ(find_quant_type(type.name), &type);
    EXPECT_EQ(type.block_elems % type.sub_elems, 0);
    EXPECT_LE(type.block_elems, 256);
    EXPECT_LE(type.block_elems / type.sub_elems, 16);
    EXPECT_EQ(type.integers == nullptr, type.activations == Activations::f32);
  }
}

TEST(QuantTable, FindsByNameInAnyCaseAndNamesRemovedIds) {
  EXPECT_EQ(find_quant_type("q4_k"), find_quant_type(12));
  EXPECT_EQ(find_quant_type("iQ2_xXs"), find_quant_type(16));
  for (const char* name : {"", "Q4", "Q4_K_M", "Q8_K", "Q8_1"})
    EXPECT_EQ(find_quant_type(name), nullptr) << name;
  for (const uint32_t id : {4u, 5u, 9u, 15u, 24u, 28u, 31u, 38u, 43u, 0xffffffffu})
    EXPECT_EQ(find_quant_type(id), nullptr) << id;
  EXPECT_EQ(removed_quant_type(4), "Q4_2");
  EXPECT_EQ(removed_quant_type(5), "Q4_3");
  EXPECT_EQ(removed_quant_type(31), "Q4_0_4_4");
  EXPECT_EQ(removed_quant_type(32), "Q4_0_4_8");
  EXPECT_EQ(removed_quant_type(33), "Q4_0_8_8");
  EXPECT_EQ(removed_quant_type(36), "IQ4_NL_4_4");
  EXPECT_EQ(removed_quant_type(37), "IQ4_NL_4_8");
  EXPECT_EQ(removed_quant_type(38), "IQ4_NL_8_8");
  for (const uint32_t id : {0u, 6u, 34u, 99u}) EXPECT_EQ(removed_quant_type(id), std::nullopt) << id;
}

TEST(Dequantize, EqualsTheReferenceBitForBit) {
  for (const QuantType& type : quant_types()) {
    if (type.name == "F32") continue;
    for (const char* kind : {".encoded", ".raw"}) {
      const std::string stem = std::string(type.name) + kind;
      const auto blocks = read_golden<std::byte>(stem + ".blocks");
      const auto expected = read_golden<float>(stem + ".f32");
      const auto got = dequantize(type, blocks);
      ASSERT_EQ(got.size(), expected.size()) << stem;
      ASSERT_GT(got.size(), 0u) << stem;
      for (size_t i = 0; i < got.size(); ++i)
        ASSERT_TRUE(same(got[i], expected[i]))
            << stem << " weight " << i << ": " << got[i] << ", reference " << expected[i];
    }
  }
}

TEST(Dequantize, TakesAnyAlignment) {
  for (const QuantType& type : quant_types()) {
    const auto blocks = random_blocks(type, 5, type.id);
    const auto expected = dequantize(type, blocks);
    std::vector<std::byte> shifted(blocks.size() + 3);
    for (const size_t shift : {1u, 2u, 3u}) {
      std::copy(blocks.begin(), blocks.end(), shifted.begin() + ptrdiff_t(shift));
      std::vector<float> got(expected.size());
      type.dequantize(shifted.data() + shift, 5, got.data());
      for (size_t i = 0; i < got.size(); ++i) ASSERT_TRUE(same(got[i], expected[i])) << type.name << " " << i;
    }
  }
}

TEST(Integers, GiveTheWeightsByTheTablesFormula) {
  for (const QuantType& type : quant_types()) {
    if (!type.integers) continue;
    const size_t n_blocks = 200;
    const auto blocks = random_blocks(type, n_blocks, type.id);
    const auto w = dequantize(type, blocks);
    IntegerBlock b;
    for (size_t k = 0; k < n_blocks; ++k) {
      type.integers(blocks.data() + k * type.block_bytes, b);
      for (size_t i = 0; i < type.block_elems; ++i) {
        const size_t s = i / type.sub_elems;
        float expected = b.d * float(b.scale[s]) * float(b.q[i]);
        if (type.has_mins) expected -= b.dmin * float(b.min[s]);
        ASSERT_TRUE(same(w[k * type.block_elems + i], expected)) << type.name << " " << k << " " << i;
      }
    }
  }
}

// Three decoders written a second time, weight by weight from the bytes and in double, to check that
// integers(), and not only the products, are what the format says.
double byte_of(const std::byte* block, size_t k) {
  return double(std::to_integer<int>(block[k]));
}
int bits(const std::byte* block, size_t byte, int first, int count) {
  return int(byte_of(block, byte)) >> first & ((1 << count) - 1);
}
double half_at(const std::byte* block, size_t byte) {
  const int raw = bits(block, byte, 0, 8) + 256 * bits(block, byte + 1, 0, 8);
  const int exponent = raw >> 10 & 31, mantissa = raw & 1023;
  const double magnitude = exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24);
  return raw & 0x8000 ? -magnitude : magnitude;
}
struct Weight {
  double d, scale, q, dmin = 0, min = 0;
};
Weight q4_k_weight(const std::byte* b, size_t i) {
  const size_t s = i / 32, t = s % 4;
  const bool low = s < 4;
  Weight w{half_at(b, 0), 0, 0, half_at(b, 2), 0};
  w.scale = low ? bits(b, 4 + t, 0, 6) : bits(b, 12 + t, 0, 4) + 16 * bits(b, 4 + t, 6, 2);
  w.min = low ? bits(b, 8 + t, 0, 6) : bits(b, 12 + t, 4, 4) + 16 * bits(b, 8 + t, 6, 2);
  w.q = bits(b, 16 + 32 * (i / 64) + i % 32, i % 64 < 32 ? 0 : 4, 4);
  return w;
}
Weight q6_k_weight(const std::byte* b, size_t i) {
  const size_t half = i / 128, r = i % 128;
  const int low = bits(b, 64 * half + r % 64, r < 64 ? 0 : 4, 4);
  const int top = bits(b, 128 + 32 * half + r % 32, 2 * int(r / 32), 2);
  const int scale = bits(b, 192 + i / 16, 0, 8);
  return {half_at(b, 208), double(scale < 128 ? scale : scale - 256), double(low + 16 * top - 32)};
}
Weight iq2_xxs_weight(const std::byte* b, size_t i) {
  const size_t at = 2 + 8 * (i / 32), group = i % 32 / 8, j = i % 8;
  unsigned word = 0;
  for (size_t k = 0; k < 4; ++k) word += unsigned(bits(b, at + 4 + k, 0, 8)) << (8 * k);
  const unsigned code = word >> (7 * group) & 127;
  const bool negative = j < 7 ? code >> j & 1 : std::popcount(code) % 2 == 1;
  const int magnitude = int(kIq2xxsGrid[size_t(bits(b, at + group, 0, 8))] >> (8 * j) & 255);
  return {half_at(b, 0) / 8, 2.0 * (word >> 28) + 1, double(negative ? -magnitude : magnitude)};
}

TEST(Integers, AreTheFormatsFields) {
  struct Case {
    const char* name;
    Weight (*weight)(const std::byte*, size_t);
  };
  for (const Case& c :
       {Case{"Q4_K", q4_k_weight}, Case{"Q6_K", q6_k_weight}, Case{"IQ2_XXS", iq2_xxs_weight}}) {
    const QuantType& type = type_named(c.name);
    const auto blocks = read_golden<std::byte>(std::string(c.name) + ".raw.blocks");  // finite scales
    for (size_t at = 0; at < blocks.size(); at += type.block_bytes) {
      IntegerBlock b;
      type.integers(blocks.data() + at, b);
      for (size_t i = 0; i < type.block_elems; ++i) {
        const size_t s = i / type.sub_elems;
        const Weight w = c.weight(blocks.data() + at, i);
        ASSERT_EQ(double(b.d), w.d) << c.name << " " << i;
        ASSERT_EQ(b.scale[s], w.scale) << c.name << " " << i;
        ASSERT_EQ(b.q[i], w.q) << c.name << " " << i;
        if (!type.has_mins) continue;
        ASSERT_EQ(double(b.dmin), w.dmin) << c.name << " " << i;
        ASSERT_EQ(b.min[s], w.min) << c.name << " " << i;
      }
    }
  }
}

TEST(Dequantize, SpecialScalesFollowTheFormula) {
  std::vector<std::byte> block(type_named("Q4_0").block_bytes,
                               std::byte{0x98});  // low nibble 8: q = 0; high 9: q = 1
  block[0] = std::byte{0};
  block[1] = std::byte{0x7c};  // d = inf
  const auto w = dequantize(type_named("Q4_0"), block);
  EXPECT_TRUE(std::isnan(w[0]));
  EXPECT_EQ(w[16], HUGE_VALF);

  std::vector<std::byte> mx(type_named("MXFP4").block_bytes, std::byte{0x17});  // codes 7 (6.0) and 1 (0.5)
  for (const int e : {0, 1, 2, 127, 254}) {
    mx[0] = std::byte(e);
    const auto v = dequantize(type_named("MXFP4"), mx);
    EXPECT_EQ(v[0], float(std::ldexp(6.0, e - 127))) << e;
    EXPECT_EQ(v[16], float(std::ldexp(0.5, e - 127))) << e;
  }
  std::vector<std::byte> nv(type_named("NVFP4").block_bytes, std::byte{0x77});
  for (const int code : {0x7f, 0xff}) {
    nv[0] = std::byte(code);
    EXPECT_EQ(dequantize(type_named("NVFP4"), nv)[0], 0.0f) << code;
  }
}

TEST(Codebooks, SignMasksHaveAnEvenCount) {
  for (uint32_t code = 0; code < 128; ++code) {
    EXPECT_EQ(sign_mask(code) & 127u, code);
    EXPECT_EQ(std::popcount(sign_mask(code)) % 2, 0);
    EXPECT_EQ(sign_mask(code | 0xffffff80u), sign_mask(code));
  }
}

TEST(BlockFields, AreAllBytesOfEveryBlock) {
  for (const QuantType& type : quant_types()) {
    size_t end = 0;
    for (const BlockField& field : block_fields(type)) {
      EXPECT_EQ(field.first_byte, end) << type.name << " " << field.name;
      EXPECT_FALSE(field.what.empty());
      end = size_t(field.first_byte + field.n_bytes);
    }
    EXPECT_EQ(end, type.block_bytes) << type.name;
  }
}

TEST(QuantTypesPage, IsFresh) {
  const std::string path = ASSAY_SOURCE_DIR "/docs/quant-types.md";
  if (std::getenv("ASSAY_UPDATE_DOCS")) std::ofstream(path) << quant_types_markdown();
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), quant_types_markdown());
}

}  // namespace
}  // namespace assay
