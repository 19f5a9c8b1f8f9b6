// The export covers every bit, and answers of faulty decoders are marked with the fault and the field.
#include "diagnose/conform/conform.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>

#include "base/load_error.h"
#include "base/temporary_folder.h"
#include "quant/fields.h"

namespace assay {
namespace {

std::vector<float> decode(const QuantType& type, std::span<const std::byte> blocks) {
  std::vector<float> w(blocks.size() / type.block_bytes * type.block_elems);
  type.dequantize(blocks.data(), blocks.size() / type.block_bytes, w.data());
  return w;
}

TEST(Conform, FlippingAnyBitOfAnyFieldChangesAnExpectedValue) {
  for (const QuantType& type : quant_types()) {
    const ConformanceSet set = make_conformance_set(type);
    EXPECT_EQ(decode(type, set.blocks), set.expected) << type.name;
    std::set<std::pair<size_t, unsigned>> unread;
    for (const BlockBit& b : set.unread) unread.insert({b.byte, b.bit});
    for (size_t byte = 0; byte < type.block_bytes; ++byte)
      for (unsigned bit = 0; bit < 8; ++bit) {
        std::vector<std::byte> flipped = set.blocks;
        for (size_t at = byte; at < flipped.size(); at += type.block_bytes)
          flipped[at] ^= std::byte(1u << bit);
        const bool changes = decode(type, flipped) != set.expected;
        EXPECT_EQ(changes, !unread.contains({byte, bit})) << type.name << " byte " << byte << " bit " << bit;
      }
    for (const float w : set.expected) ASSERT_TRUE(std::isfinite(w)) << type.name;
    std::cout << type.name << ": " << set.n_blocks() << " blocks, " << set.unread.size() << " bits unread\n";
  }
}

TEST(Conform, FaultyDecodersAreNamed) {
  size_t n = 0;
  for (const Fault* fault : faults()) {
    const auto* decoders = std::get_if<DecodeFault>(&fault->injection);
    if (!decoders) continue;
    for (const QuantType& faulty : decoders->types) {
      const QuantType& type = *find_quant_type(faulty.id);
      const ConformanceSet set = make_conformance_set(type);
      const ConformanceMark m = mark(type, set.blocks, decode(faulty, set.blocks));
      EXPECT_GT(m.n_wrong, 0u) << fault->id << " " << type.name << " is not seen";
      EXPECT_NE(std::ranges::find(m.faults, fault), m.faults.end()) << fault->id << " " << type.name;
      EXPECT_FALSE(m.misread.empty()) << fault->id << " " << type.name;
      ++n;
    }
  }
  EXPECT_GT(n, 0u);
}

TEST(Conform, TheMisreadFieldIsNamed) {
  const auto misread = [](const char* name, size_t first, size_t count, std::byte mask) {
    const QuantType& type = *find_quant_type(name);
    const ConformanceSet set = make_conformance_set(type);
    std::vector<std::byte> blocks = set.blocks;  // an engine that does not see some bits of some bytes
    for (size_t at = 0; at < blocks.size(); at += type.block_bytes)
      for (size_t i = first; i < first + count; ++i) blocks[at + i] &= mask;
    return mark(type, set.blocks, decode(type, blocks)).misread;
  };
  EXPECT_EQ(misread("Q4_K", 12, 4, std::byte(0xF0)).at(0),
            "scales, its bytes 8..11");  // low bits of scales 4..7
  EXPECT_EQ(misread("Q5_0", 2, 4, std::byte(0)).at(0), "qh");
  EXPECT_EQ(misread("Q6_K", 128, 64, std::byte(0x3F)).at(0), "qh");
  EXPECT_EQ(misread("Q4_0", 0, 2, std::byte(0)).at(0), "d");
}

TEST(Conform, HostileAnswersAreErrorsWithTheirPlace) {
  const TemporaryFolder folder;
  EXPECT_THROW(check_conformance(folder.path()), UsageError);
  const auto write = [&](const char* name, size_t n_bytes) {
    std::ofstream(folder.path() / name, std::ios::binary) << std::string(n_bytes, '\0');
  };
  write("Q8_0.blocks", 33);
  EXPECT_THROW(check_conformance(folder.path()), BadValue);
  write("Q8_0.blocks", 0);
  EXPECT_THROW(check_conformance(folder.path()), BadValue);
  write("Q8_0.blocks", 68);
  write("Q8_0.answer.f32", 255);
  EXPECT_THROW(check_conformance(folder.path()), BadValue);
  write("Q8_0.answer.f32", 256);
  EXPECT_EQ(check_conformance(folder.path()).at(0).n_wrong, 0u);
}

}  // namespace
}  // namespace assay
