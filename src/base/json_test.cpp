#include "base/json.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

std::string problem_of(const std::string& text, int deepest = 4) {
  try {
    parse_json(text, deepest);
  } catch (const BadJson& error) {
    return fmt::format("{} @{}", error.what(), error.byte);
  }
  return "none";
}

TEST(Json, ReadsWhatIsJson) {
  EXPECT_EQ(parse_json(R"({"a": [1, {"a": 2}], "b": {"a": 3}})", 4)["b"]["a"], 3);
  const auto ordered = parse_json<nlohmann::ordered_json>(R"({"z": 1, "a": 2})", 1);
  EXPECT_EQ(ordered.begin().key(), "z");
}

TEST(Json, RefusesWhatIsNot) {
  EXPECT_EQ(problem_of(""), "is not JSON @1");
  EXPECT_EQ(problem_of(R"({"a": nul})"), "is not JSON @10");
  EXPECT_EQ(problem_of("[1] 2"), "is not JSON @5");
  EXPECT_EQ(problem_of("\"\xff\""), "is not JSON @2");
}

TEST(Json, BoundsDepth) {
  EXPECT_EQ(problem_of("[[[[1]]]]"), "none");
  EXPECT_EQ(problem_of("[[[[[1]]]]]"), "JSON nested deeper than 4 @0");
  EXPECT_EQ(problem_of(std::string(1 << 20, '[')), "JSON nested deeper than 4 @0");
  EXPECT_EQ(problem_of("[[1]]", 1), "JSON nested deeper than 1 @0");
}

TEST(Json, RefusesKeysThatAreThereTwice) {
  EXPECT_EQ(problem_of(R"([{"a": 1}, {"a": 2, "b": {"a": 1}}])"), "none");
  EXPECT_EQ(problem_of(R"({"a": {"x": 1}, "b": 2, "a": 3})"), "key \"a\" is there twice @0");
}

TEST(Json, RefusesNumbersOutOfRange) {
  EXPECT_EQ(problem_of("[1e308]"), "none");
  EXPECT_EQ(problem_of("[1e999]"), "JSON with a number out of range @0");
}

}  // namespace
}  // namespace assay
