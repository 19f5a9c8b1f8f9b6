// The export covers every bit, and answers of faulty decoders are marked with the fault and the field.
#include "diagnose/conform/conform.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <set>

#include "base/load_error.h"
#include "base/temporary_folder.h"
#include "diagnose/conform/misread.h"
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

/// The export of a type, made once: making it is the slow part.
const ConformanceSet& set_of(const QuantType& type) {
  static std::map<uint32_t, ConformanceSet> sets;
  const auto found = sets.find(type.id);
  return found != sets.end() ? found->second
                             : sets.emplace(type.id, make_conformance_set(type)).first->second;
}

// The fault is what its author needs. A field is named beside it when the fault reads one wrongly, and none
// when it breaks the rule by which fields become weights.
TEST(Conform, FaultyDecodersAreNamed) {
  size_t n = 0;
  for (const Fault* fault : faults()) {
    const auto* decoders = std::get_if<DecodeFault>(&fault->injection);
    if (!decoders) continue;
    for (const QuantType& faulty : decoders->types) {
      const QuantType& type = *find_quant_type(faulty.id);
      const ConformanceSet& set = set_of(type);
      const ConformanceMark m = mark(type, set.blocks, decode(faulty, set.blocks));
      EXPECT_GT(m.n_wrong, 0u) << fault->id << " " << type.name << " is not seen";
      EXPECT_NE(std::ranges::find(m.faults, fault), m.faults.end()) << fault->id << " " << type.name;
      EXPECT_TRUE(m.misread.empty()) << fault->id << " " << type.name;
      ++n;
    }
  }
  EXPECT_GT(n, 300u);
}

/// What is named for an engine that has `keep` and `set` applied to some bytes of every block.
std::vector<std::string> misread(const QuantType& type, size_t first, size_t count, std::byte keep,
                                 std::byte set_bits = std::byte(0)) {
  const ConformanceSet& set = set_of(type);
  std::vector<std::byte> blocks = set.blocks;
  for (size_t at = 0; at < blocks.size(); at += type.block_bytes)
    for (size_t i = first; i < first + count; ++i) blocks[at + i] = (blocks[at + i] & keep) | set_bits;
  return misread_fields(type, set.blocks, decode(type, blocks));
}

TEST(Conform, TheMisreadFieldIsNamed) {
  const auto named = [](const char* type, const auto&... how) {
    const std::vector<std::string> fields = misread(*find_quant_type(type), how...);
    return fields.size() == 1 ? fields[0] : fmt::format("{} fields", fields.size());
  };
  constexpr std::byte kNone{0}, kAll{0xFF};
  EXPECT_EQ(named("Q4_K", 12, 4, std::byte(0xF0)), "scales, its bytes 8..11");  // low bits of scales 4..7
  EXPECT_EQ(named("Q4_K", 4, 4, std::byte(0x3F)), "scales, its bytes 0..3");    // their high bits
  EXPECT_EQ(named("Q4_K", 2, 2, kNone), "dmin");
  EXPECT_EQ(named("Q4_K", 80, 64, kNone), "qs, its bytes 64..127");
  EXPECT_EQ(named("Q5_0", 2, 4, kNone), "qh");
  EXPECT_EQ(named("Q5_0", 2, 4, kNone, kAll), "qh");
  EXPECT_EQ(named("Q5_K", 16, 32, kNone), "qh");
  EXPECT_EQ(named("Q6_K", 128, 64, std::byte(0x3F)), "qh");
  EXPECT_EQ(named("Q6_K", 192, 16, std::byte(0x7F)), "scales");
  EXPECT_EQ(named("Q4_0", 0, 2, kNone), "d");
  EXPECT_EQ(named("Q4_0", 2, 16, std::byte(0x0F)), "qs");
  EXPECT_EQ(named("IQ4_XS", 2, 2, kNone), "scales_h");
  EXPECT_EQ(named("IQ3_S", 66, 8, kNone), "qh");
  EXPECT_EQ(named("NVFP4", 0, 4, std::byte(0x3F)), "scales");
}

// A whole field that reads as zeros, whatever the type: it is named, or one no larger that gives the same
// answers (codes of zero are a step of zero).
TEST(Conform, EveryFieldThatReadsAsZeroIsNamed) {
  for (const QuantType& type : quant_types()) {
    for (const BlockField& field : block_fields(type)) {
      const std::vector<std::string> fields = misread(type, field.first_byte, field.n_bytes, std::byte(0));
      ASSERT_FALSE(fields.empty()) << type.name << " " << field.name;
      for (const std::string& text : fields) {
        const std::string name = text.substr(0, text.find(','));
        const auto found = std::ranges::find(block_fields(type), name, &BlockField::name);
        ASSERT_NE(found, block_fields(type).end()) << text;
        if (found->name != field.name)
          std::cout << type.name << " " << field.name << ": " << text << " gives the same\n";
        EXPECT_LE(found->n_bytes, field.n_bytes) << type.name << " " << field.name << ": " << text;
      }
    }
  }
}

// No content of one field is an offset that is one off, or two fields that are exchanged.
TEST(Conform, NoFieldIsNamedForAWrongRule) {
  for (const char* id : {"code-offset-one-less", "d-dmin-exchanged", "iq-sign-parity-ignored"}) {
    const Fault& fault = need_fault(id);
    for (const QuantType& faulty : std::get<DecodeFault>(fault.injection).types) {
      const QuantType& type = *find_quant_type(faulty.id);
      const ConformanceSet& set = set_of(type);
      EXPECT_EQ(misread_fields(type, set.blocks, decode(faulty, set.blocks)), std::vector<std::string>{})
          << id << " " << type.name;
    }
  }
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
