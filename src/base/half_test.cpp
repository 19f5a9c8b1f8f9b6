#include "base/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace assay {
namespace {

// The value by its definition (IEEE 754-2008, 3.4), in double: exact for every binary16.
double value_of_half(uint32_t bits) {
  const int exponent = int(bits >> 10 & 31), mantissa = int(bits & 1023);
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == 31) return mantissa ? std::numeric_limits<double>::quiet_NaN() : sign * HUGE_VAL;
  return sign * (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
}

TEST(Half, EveryHalfBecomesItsValueAndReturns) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const double expected = value_of_half(bits);
    const float got = half_to_float(uint16_t(bits));
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(got)) << bits;
      ASSERT_TRUE(std::isnan(half_to_float(float_to_half(got)))) << bits;
      continue;
    }
    ASSERT_EQ(double(got), expected) << bits;
    ASSERT_EQ(std::signbit(got), (bits & 0x8000) != 0) << bits;
    ASSERT_EQ(float_to_half(got), bits);
  }
}

// Between neighbours a and b the midpoint goes to the even one, and the floats beside it to the nearer.
TEST(Half, RoundsToNearestTiesToEven) {
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const float middle = float((value_of_half(bits) + value_of_half(bits + 1)) / 2);
    const uint32_t even = bits % 2 == 0 ? bits : bits + 1;
    for (const uint32_t sign : {0u, 0x8000u}) {
      const float signed_middle = sign ? -middle : middle;
      const float away = sign ? -HUGE_VALF : HUGE_VALF;
      ASSERT_EQ(float_to_half(signed_middle), sign | even) << bits;
      ASSERT_EQ(float_to_half(std::nextafter(signed_middle, 0.0f)), sign | bits) << bits;
      ASSERT_EQ(float_to_half(std::nextafter(signed_middle, away)), sign | (bits + 1)) << bits;
    }
  }
}

TEST(Half, OverflowsToInfinityFrom65520) {
  EXPECT_EQ(float_to_half(std::nextafter(65520.0f, 0.0f)), 0x7bff);
  EXPECT_EQ(float_to_half(65520.0f), 0x7c00);
  EXPECT_EQ(float_to_half(-65520.0f), 0xfc00);
  EXPECT_EQ(float_to_half(std::numeric_limits<float>::max()), 0x7c00);
  EXPECT_EQ(float_to_half(-HUGE_VALF), 0xfc00);
  EXPECT_EQ(float_to_half(0x1p-25f), 0);
  EXPECT_EQ(float_to_half(std::nextafter(0x1p-25f, 1.0f)), 1);
  EXPECT_EQ(float_to_half(std::numeric_limits<float>::denorm_min()), 0);
}

TEST(Bf16, KeepsTheUpperHalfRoundedToNearestTiesToEven) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float value = bf16_to_float(uint16_t(bits));
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(bf16_to_float(float_to_bf16(value)))) << bits;
      continue;
    }
    ASSERT_EQ(std::bit_cast<uint32_t>(value), bits << 16);
    ASSERT_EQ(float_to_bf16(value), bits);
    if (std::isinf(value)) continue;
    const uint32_t even = bits + bits % 2;
    ASSERT_EQ(float_to_bf16(std::bit_cast<float>(bits << 16 | 0x7fff)), bits);
    ASSERT_EQ(float_to_bf16(std::bit_cast<float>(bits << 16 | 0x8000)), even);
    ASSERT_EQ(float_to_bf16(std::bit_cast<float>(bits << 16 | 0x8001)), bits + 1);
  }
  EXPECT_TRUE(std::isnan(bf16_to_float(float_to_bf16(std::bit_cast<float>(0x7f800001u)))));
}

}  // namespace
}  // namespace assay
