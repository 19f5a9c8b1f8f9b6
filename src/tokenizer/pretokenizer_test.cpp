#include "tokenizer/pretokenizer.h"

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "tokenizer/random_text.h"
#include "tokenizer/small_vocabularies.h"

namespace assay {
namespace {

std::vector<std::string> all_names() {
  std::vector<std::string> names;
  for (const PreTokenizer& entry : pretokenizers()) {
    std::string name;
    for (const char c : entry.names) {
      if (c != ' ') name += c;
      if (c == ' ') names.push_back(std::exchange(name, ""));
    }
    names.push_back(name);
  }
  return names;
}

std::string first_name(const PreTokenizer& entry) {
  return std::string(entry.names.substr(0, entry.names.find(' ')));
}

void expect_whole(const Splitter& splitter, const std::string& text) {
  std::string joined;
  for (const std::string_view piece : splitter.split(text)) {
    EXPECT_FALSE(piece.empty());
    EXPECT_EQ(find_invalid_utf8(piece), std::string_view::npos) << "a character was cut";
    joined += piece;
  }
  EXPECT_EQ(joined, text);
}

TEST(PreTokenizer, NamesAreUniqueAndFound) {
  std::set<std::string> seen;
  for (const std::string& name : all_names()) {
    EXPECT_TRUE(seen.insert(name).second) << name;
    EXPECT_NE(find_pretokenizer(name), nullptr) << name;
  }
  for (const char* needed : {"default", "gpt-2", "llama-bpe", "qwen2", "qwen35", "deepseek-llm",
                             "deepseek-coder", "falcon", "mpt", "starcoder", "refact", "command-r", "gemma4"})
    EXPECT_TRUE(seen.contains(needed)) << needed;
  EXPECT_EQ(find_pretokenizer(""), nullptr);
  EXPECT_EQ(find_pretokenizer("gpt"), nullptr);
  EXPECT_EQ(find_pretokenizer("gpt-2 phi-2"), nullptr);
  EXPECT_EQ(pretokenizers().front().names, "default");
}

TEST(PreTokenizer, PiecesMakeUpTheText) {
  const std::string samples[] = {
      "Hello, world! It's 2024, isn't it?  \n\n x\ty",
      "naïve café 你好，世界。 한국어 かな กำ क्षि 🙂🫨 ١٢٣ 1234567 "
      "a1b22c333",
      std::string("\0\x01 \x7f", 4),
      "\u3000\u2028\u0085\u180e",
      std::string(3000, 'a'),
      std::string(3000, ' '),
      std::string(3000, '7'),
      std::string(3000, '\n'),
      std::string(3000, 'A') + "b"};
  for (const PreTokenizer& entry : pretokenizers()) {
    SCOPED_TRACE(first_name(entry));
    const Splitter splitter(entry);
    EXPECT_TRUE(splitter.split("").empty());
    for (const std::string& sample : samples) expect_whole(splitter, sample);
  }
}

RC_GTEST_PROP(PreTokenizer, PiecesMakeUpAnyText, ()) {
  static const auto splitters = [] {
    std::vector<Splitter> all;
    for (const PreTokenizer& entry : pretokenizers()) all.emplace_back(entry);
    return all;
  }();
  const std::string text = *random_text();
  for (const Splitter& splitter : splitters) expect_whole(splitter, text);
}

// tests/golden/vocab/README.md
TEST(PreTokenizer, SplitsAsTheReference) {
  std::ifstream stream(ASSAY_SOURCE_DIR "/tests/golden/vocab/pretokenizers.json");
  ASSERT_TRUE(stream);
  const auto golden = nlohmann::json::parse(stream);
  const std::vector<int> pairs = golden["pairs"];
  const std::vector<std::string> texts = golden["texts"];
  EXPECT_EQ(golden["ids"].size(), pretokenizers().size());
  for (const PreTokenizer& entry : pretokenizers()) {
    SCOPED_TRACE(first_name(entry));
    VocabularyFile file{.pre = first_name(entry)};
    for (int byte = 0; byte < 256; ++byte) file.add(byte_character(uint8_t(byte)));
    for (const int left : pairs)
      for (const int right : pairs) {
        file.add(byte_character(uint8_t(left)) + byte_character(uint8_t(right)));
        file.merges.push_back(byte_character(uint8_t(left)) + " " + byte_character(uint8_t(right)));
      }
    file.numbers["bos_token_id"] = static_cast<uint32_t>(file.add("<bos>"));
    const auto tokenizer = file.open();
    const std::vector<std::vector<int32_t>> ids = golden["ids"].at(first_name(entry));
    ASSERT_EQ(ids.size(), texts.size());
    for (size_t i = 0; i < texts.size(); ++i)
      EXPECT_EQ(tokenizer->encode(texts[i], {.add_bos = false}), ids[i]) << testing::PrintToString(texts[i]);
  }
}

}  // namespace
}  // namespace assay
