#include "tokenizer/utf8.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

TEST(Utf8, EveryCodePointSurvives) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    std::string text;
    append_utf8(text, c);
    const bool surrogate = c >= 0xD800 && c < 0xE000;
    ASSERT_EQ(find_invalid_utf8(text) == std::string_view::npos, !surrogate) << uint32_t(c);
    if (surrogate) continue;
    size_t offset = 0;
    ASSERT_EQ(next_code_point(text, offset), c);
    ASSERT_EQ(offset, text.size());
    ASSERT_EQ(utf8_length(text[0]), text.size());
    for (size_t n = 1; n < text.size(); ++n) {
      const Utf8Step step = utf8_step(std::string_view(text).substr(0, n));
      ASSERT_EQ(step.kind, Utf8Step::Kind::truncated);
      ASSERT_EQ(step.n_bytes, n);
    }
  }
}

// Against a definition: of all byte strings of up to three bytes, those that some code point encodes to.
TEST(Utf8, NothingElseIsValid) {
  size_t n_valid = 0;
  for (unsigned a = 0; a < 256; ++a)
    for (unsigned b = 0; b < 256; ++b)
      for (unsigned c = 0; c < 256; ++c) {
        const char text[] = {char(a), char(b), char(c)};
        const Utf8Step step = utf8_step({text, 3});
        n_valid += step.kind == Utf8Step::Kind::valid && step.n_bytes == 3;
      }
  EXPECT_EQ(n_valid, 0x10000u - 0x800u - 0x800u);
}

TEST(Utf8, FindsTheFirstBadByte) {
  struct Case {
    const char* text;
    size_t offset;
  };
  for (const Case& c : {Case{"\x80", 0},
                        {"abc\xC0\xAF", 3},
                        {"a\xED\xA0\x80", 1},
                        {"\xF4\x90\x80\x80", 0},
                        {"0123456789\xFF", 10},
                        {"\xE2\x82", 0},
                        {"\xC3\xA9\xC3", 2},
                        {"\xF8\x88\x80\x80\x80", 0},
                        {"01234567\xE4\xBD\xA0 \xE0\x80\x80", 12}})
    EXPECT_EQ(find_invalid_utf8(c.text), c.offset) << c.text;
  EXPECT_EQ(find_invalid_utf8(""), std::string_view::npos);
}

}  // namespace
}  // namespace assay
