#include "base/byte_reader.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace assay {
namespace {

constexpr std::array kBytes{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}, std::byte{5}};
const std::string kFile = "file";

TEST(ByteReader, ReadsLittleEndianNumbersInOrder) {
  ByteReader in(kBytes, kFile);
  EXPECT_EQ(in.number<uint16_t>("a"), 0x0201);
  EXPECT_EQ(in.number<uint8_t>("b"), 3);
  EXPECT_EQ(in.offset(), 3u);
  EXPECT_EQ(in.left(), 2u);
  EXPECT_EQ(in.take(0, "nothing").size(), 0u);
  EXPECT_EQ(in.take(2, "rest").data(), kBytes.data() + 3);
  EXPECT_EQ(in.left(), 0u);
}

TEST(ByteReader, RefusesAnyLengthPastTheEnd) {
  for (const uint64_t n_bytes :
       {uint64_t(4), uint64_t(1) << 32, uint64_t(1) << 63, std::numeric_limits<uint64_t>::max(),
        std::numeric_limits<uint64_t>::max() - 1}) {
    ByteReader in(kBytes, kFile);
    in.take(2, "start");
    try {
      in.take(n_bytes, "bad\n");
      FAIL() << n_bytes;
    } catch (const Truncated& error) {
      EXPECT_EQ(error.what(),
                "file: bad\\x0A at byte 2: needs " + std::to_string(n_bytes) + " bytes, the file has 3 left");
    }
    EXPECT_EQ(in.offset(), 2u);
  }
}

TEST(ByteReader, ProvesCountsWithoutMultiplying) {
  ByteReader in(kBytes, kFile);
  EXPECT_NO_THROW(in.expect(5, 1, "x"));
  EXPECT_NO_THROW(in.expect(2, 2, "x"));
  EXPECT_THROW(in.expect(3, 2, "x"), Truncated);
  EXPECT_THROW(in.expect(uint64_t(1) << 61, 8, "x"), Truncated);
  EXPECT_THROW(in.expect(std::numeric_limits<uint64_t>::max(), std::numeric_limits<uint64_t>::max(), "x"),
               Truncated);
}

}  // namespace
}  // namespace assay
