#include "sampling/stop_strings.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "base/load_error.h"

namespace assay {
namespace {

/// All that comes out when `text` goes in cut at the given positions.
std::string shown(StopStrings& stops, const std::string& text, const std::vector<size_t>& cuts) {
  std::string out;
  size_t from = 0;
  for (const size_t cut : cuts) {
    out += stops.feed(std::string_view(text).substr(from, cut - from));
    from = cut;
  }
  out += stops.feed(std::string_view(text).substr(from));
  return out + stops.finish();
}

/// The same from the definition: at each end position in turn, the longest string that ends there.
std::string expected(const std::vector<std::string>& stops, const std::string& text) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t longest = 0;
    for (const std::string& stop : stops)
      if (stop.size() <= end && text.compare(end - stop.size(), stop.size(), stop) == 0)
        longest = std::max(longest, stop.size());
    if (longest > 0) return text.substr(0, end - longest);
  }
  return text;
}

TEST(StopStrings, FoundWhereverTheBorderFalls) {
  const std::vector<std::string> stops{"</s>", "\nUser:", "User", "ss</", "\xe7\xb5\x82"};
  const std::string texts[] = {"Hello</s> more",
                               "a<</s>",
                               "x\nUse\nUser: hi",
                               "ss<ss</s>",
                               "</</</s",
                               "no stop",
                               "\xe3\x81\xa7\xe7\xb5\x82\xe3\x82\x8f",
                               "",
                               "</s>"};
  for (const std::string& text : texts)
    for (size_t a = 0; a <= text.size(); ++a)
      for (size_t b = a; b <= text.size(); ++b) {
        StopStrings stream(stops);
        EXPECT_EQ(shown(stream, text, {a, b}), expected(stops, text)) << text << " cut at " << a << ", " << b;
        EXPECT_EQ(stream.stopped(), expected(stops, text) != text);
      }
}

RC_GTEST_PROP(StopStrings, AreIndependentOfTheCuts, ()) {
  const auto letters = rc::gen::container<std::string>(rc::gen::element('a', 'b', 'c'));
  const std::string text = *letters;
  const auto stops = *rc::gen::container<std::vector<std::string>>(rc::gen::nonEmpty(letters));
  auto cuts = *rc::gen::container<std::vector<size_t>>(rc::gen::inRange<size_t>(0, text.size() + 1));
  std::sort(cuts.begin(), cuts.end());
  StopStrings stream(stops);
  RC_ASSERT(shown(stream, text, cuts) == expected(stops, text));
}

TEST(StopStrings, HoldsBackOnlyWhatMayBecomeOne) {
  StopStrings stops({"abcx", "bcd"});
  EXPECT_EQ(stops.feed("zzab"), "zz");
  EXPECT_EQ(stops.feed(""), "");
  EXPECT_EQ(stops.feed("c"), "");
  EXPECT_EQ(stops.feed("e!"), "abce!");
  EXPECT_EQ(stops.feed("abc"), "");
  EXPECT_EQ(stops.feed("d and after"), "a");
  ASSERT_TRUE(stops.stopped());
  EXPECT_EQ(*stops.found(), "bcd");
  EXPECT_EQ(stops.feed("more"), "");
  EXPECT_EQ(stops.finish(), "");
}

TEST(StopStrings, NoneLetsAllThroughAndEmptyIsRefused) {
  StopStrings none({});
  EXPECT_EQ(none.feed("text"), "text");
  EXPECT_FALSE(none.stopped());
  EXPECT_THROW(StopStrings({"a", ""}), UsageError);
}

TEST(StopStrings, TakeLinearTimeOnPeriodicText) {
  StopStrings stops({std::string(50000, 'a') + "b"});
  const std::string text(2000000, 'a');
  EXPECT_EQ(stops.feed(text).size(), text.size() - 50000);
}

}  // namespace
}  // namespace assay
