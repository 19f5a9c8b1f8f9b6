#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "gguf/gguf.h"
#include "gguf/writer.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <class Error, class Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no such error";
}

class MetadataTest : public testing::Test {
 protected:
  /// The metadata of all that `writer` was given.
  const Metadata& read() {
    bytes_ = writer.to_bytes();
    file_ = GgufFile::parse(bytes_, "m.gguf");
    return file_.metadata();
  }
  GgufWriter writer;

 private:
  std::vector<std::byte> bytes_;
  GgufFile file_;
};

TEST_F(MetadataTest, IntegersOfEveryWidthAreReadWhenTheyFit) {
  writer.add("u8", uint8_t(255));
  writer.add("i8", int8_t(-128));
  writer.add("u16", uint16_t(65535));
  writer.add("i16", int16_t(-32768));
  writer.add("u32", std::numeric_limits<uint32_t>::max());
  writer.add("i32", std::numeric_limits<int32_t>::min());
  writer.add("u64", std::numeric_limits<uint64_t>::max());
  writer.add("i64", std::numeric_limits<int64_t>::min());
  writer.add("positive", int32_t(7));
  const Metadata& m = read();
  EXPECT_EQ(m.find_uint("u8"), 255u);
  EXPECT_EQ(m.find_uint("u16"), 65535u);
  EXPECT_EQ(m.find_uint("u32"), std::numeric_limits<uint32_t>::max());
  EXPECT_EQ(m.find_uint("u64"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(m.find_int("i8"), -128);
  EXPECT_EQ(m.find_int("i16"), -32768);
  EXPECT_EQ(m.find_int("i32"), std::numeric_limits<int32_t>::min());
  EXPECT_EQ(m.find_int("i64"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(m.find_uint("positive"), 7u);
  EXPECT_EQ(m.find_int("u32"), int64_t(std::numeric_limits<uint32_t>::max()));
  for (const char* key : {"i8", "i16", "i32", "i64"})
    EXPECT_THAT(message_of<BadValue>([&] { m.find_uint(key); }), HasSubstr("must not be negative")) << key;
  EXPECT_THAT(message_of<BadValue>([&] { m.find_int("u64"); }),
              HasSubstr("is 18446744073709551615, more than"));
}

TEST_F(MetadataTest, FloatsMustBeFinite) {
  writer.add("f32", 0.1f);
  writer.add("f64", 0.1);
  writer.add("nan", std::nanf(""));
  writer.add("inf", -std::numeric_limits<double>::infinity());
  const Metadata& m = read();
  EXPECT_EQ(m.find_float("f32"), double(0.1f));
  EXPECT_EQ(m.find_float("f64"), 0.1);
  EXPECT_THAT(message_of<BadValue>([&] { m.find_float("nan"); }), HasSubstr("must be finite"));
  EXPECT_THAT(message_of<BadValue>([&] { m.find_float("inf"); }), HasSubstr("is -inf, must be finite"));
}

TEST_F(MetadataTest, ArraysBecomeListsOfTheirKind) {
  writer.add_array("words", std::vector<std::string>{"a", "", "c"});
  writer.add_array("bytes", std::vector<uint8_t>{1, 255});
  writer.add_array("longs", std::vector<int64_t>{-1, std::numeric_limits<int64_t>::max()});
  writer.add_array("flags", std::vector<bool>{true, false});
  writer.add_array("floats", std::vector<float>{0.5f, std::numeric_limits<float>::infinity()});
  writer.add_array("doubles", std::vector<double>{0.1, -2});
  writer.add_array("none", std::vector<float>{});
  const Metadata& m = read();
  EXPECT_THAT(*m.find_strings("words"), ElementsAre("a", "", "c"));
  EXPECT_THAT(*m.find_ints("bytes"), ElementsAre(1, 255));
  EXPECT_THAT(*m.find_ints("longs"), ElementsAre(-1, std::numeric_limits<int64_t>::max()));
  EXPECT_THAT(*m.find_ints("flags"), ElementsAre(1, 0));
  EXPECT_THAT(*m.find_floats("floats"), ElementsAre(0.5f, std::numeric_limits<float>::infinity()));
  EXPECT_THAT(*m.find_floats("doubles"), ElementsAre(0.1f, -2.0f));
  EXPECT_THAT(*m.find_floats("none"), ElementsAre());
  EXPECT_EQ(m.find_array("words")->n_elements, 3u);
}

TEST_F(MetadataTest, ElementsOutOfRangeAreNamed) {
  writer.add_array("big", std::vector<uint64_t>{1, uint64_t(1) << 63});
  writer.add_array("nan", std::vector<float>{0, 1, std::nanf("")});
  writer.add_array("wide", std::vector<double>{1e39});
  const Metadata& m = read();
  EXPECT_THAT(message_of<BadValue>([&] { m.find_ints("big"); }),
              HasSubstr("element 1 is 9223372036854775808"));
  EXPECT_THAT(message_of<BadValue>([&] { m.find_floats("nan"); }), HasSubstr("element 2 is not a number"));
  EXPECT_THAT(message_of<BadValue>([&] { m.find_floats("wide"); }),
              HasSubstr("element 0 does not fit in 32 bits"));
}

TEST_F(MetadataTest, AWrongTypeIsNamedWithTheKeyAndItsPlace) {
  writer.add("text", "x");
  writer.add("number", uint32_t(1));
  writer.add_array("list", std::vector<int32_t>{1});
  const Metadata& m = read();
  EXPECT_EQ(message_of<BadValue>([&] { m.find_uint("text"); }),
            "m.gguf: text at byte 24: is string, not an integer");
  EXPECT_THAT(message_of<BadValue>([&] { m.find_int("text"); }), HasSubstr("is string, not an integer"));
  EXPECT_THAT(message_of<BadValue>([&] { m.find_float("number"); }),
              HasSubstr("is u32, not a floating-point number"));
  EXPECT_THAT(message_of<BadValue>([&] { m.find_bool("number"); }), HasSubstr("is u32, not a bool"));
  EXPECT_THAT(message_of<BadValue>([&] { m.find_string("list"); }),
              HasSubstr("is an array of i32, not a string"));
  EXPECT_THAT(message_of<BadValue>([&] { m.find_array("text"); }), HasSubstr("is string, not an array"));
  EXPECT_THAT(message_of<BadValue>([&] { m.find_strings("list"); }),
              HasSubstr("an array of i32, not an array of strings"));
  EXPECT_THAT(message_of<BadValue>([&] { m.find_floats("list"); }),
              HasSubstr("not an array of floating-point numbers"));
  EXPECT_THAT(message_of<BadValue>([&] { m.find_ints("text"); }),
              HasSubstr("is string, not an array of integers"));
}

TEST_F(MetadataTest, AnAbsentKeyIsNothingOrMissing) {
  writer.add("there", true);
  const Metadata& m = read();
  EXPECT_TRUE(m.contains("there"));
  EXPECT_FALSE(m.contains("ther"));
  EXPECT_EQ(m.find_uint("absent"), std::nullopt);
  EXPECT_EQ(m.find_int("absent"), std::nullopt);
  EXPECT_EQ(m.find_float("absent"), std::nullopt);
  EXPECT_EQ(m.find_bool("absent"), std::nullopt);
  EXPECT_EQ(m.find_string("absent"), std::nullopt);
  EXPECT_EQ(m.find_array("absent"), nullptr);
  EXPECT_EQ(m.find_strings("absent"), std::nullopt);
  EXPECT_EQ(m.find_ints("absent"), std::nullopt);
  EXPECT_EQ(m.find_floats("absent"), std::nullopt);
  EXPECT_EQ(message_of<Missing>([&] { m.need_uint("absent"); }),
            "m.gguf: absent at byte 24: not among the 1 keys of the metadata");
  EXPECT_THROW(m.need_float("absent"), Missing);
  EXPECT_THROW(m.need_string("absent"), Missing);
  EXPECT_EQ(Metadata().find("x"), nullptr);
}

}  // namespace
}  // namespace assay
