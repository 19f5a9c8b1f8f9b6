#include "base/load_error.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace assay {
namespace {

using namespace std::string_view_literals;

TEST(Printable, EscapesWhatATerminalWouldObey) {
  struct Case {
    std::string_view text, shown;
  };
  const Case cases[] = {
      {"", ""},
      {"blk.0.attn_q.weight", "blk.0.attn_q.weight"},
      {"a\nb\tc\x7f", "a\\x0Ab\\x09c\\x7F"},
      {"\0"sv, "\\x00"},
      {"\x1b[31mred", "\\x1B[31mred"},
      {"h\u00e9\u4e16\U0001f600", "h\u00e9\u4e16\U0001f600"},
      {"\u0085", "\\xC2\\x85"},       // a C1 control, as UTF-8
      {"\u202e", "\\xE2\\x80\\xAE"},  // right-to-left override
      {"\u200b", "\\xE2\\x80\\x8B"},  // zero-width space
      {"\xff\xfe", "\\xFF\\xFE"},     // never in UTF-8
      {"\xc0\x80", "\\xC0\\x80"},     // overlong
      {"\xe0\x80\x80", "\\xE0\\x80\\x80"},
      {"\xed\xa0\x80", "\\xED\\xA0\\x80"},           // a surrogate
      {"\xf4\x90\x80\x80", "\\xF4\\x90\\x80\\x80"},  // past U+10FFFF
      {"ab\xe4\xb8", "ab\\xE4\\xB8"},                // cut short
      {"\x80z", "\\x80z"},
  };
  for (const Case& c : cases) EXPECT_EQ(printable(c.text), c.shown);
}

TEST(Printable, CutsBetweenCharacters) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdef", 5), "abcde...");
  EXPECT_EQ(printable("ab\u4e16", 4), "ab...");
  EXPECT_EQ(printable("ab\u4e16", 5), "ab\u4e16");
  EXPECT_EQ(printable("abc", 0), "...");
}

RC_GTEST_PROP(Printable, IsBoundedAndHarmless, (const std::string& text)) {
  const std::string shown = printable(text, 40);
  RC_ASSERT(shown.size() <= 40 * 4 + 3);
  for (const char c : shown) RC_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != '\x7f');
  RC_ASSERT(printable(shown, 1000) == shown);  // valid UTF-8 with nothing left to escape
}

TEST(LoadError, SaysFileItemAndPlace) {
  const BadValue error({"dir/m\x1b.gguf", "llama.block_count", 77}, "is 0");
  EXPECT_STREQ(error.what(), "dir/m\\x1B.gguf: llama.block_count at byte 77: is 0");
  EXPECT_EQ(error.place.file, "dir/m\x1b.gguf");
}

}  // namespace
}  // namespace assay
