// Vocabularies as published files have them, and as no file should.
#include "tokenizer/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "tokenizer/small_vocabularies.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string refusal(const std::function<void()>& open) {
  try {
    open();
  } catch (const LoadError& error) {
    return error.what();
  }
  return "";
}

TEST(Vocabulary, RefusesWhatIsWrong) {
  struct Case {
    const char* what;
    std::function<void(VocabularyFile&)> change;
    const char* message;
  };
  const Case cases[] = {
      {"no tokens", [](auto& f) { f.tokens.clear(); }, "tokenizer.ggml.tokens"},
      {"another model", [](auto& f) { f.model = "t5"; }, "'t5'"},
      {"fewer scores", [](auto& f) { f.scores.pop_back(); }, "scores for"},
      {"more scores", [](auto& f) { f.scores.push_back(0); }, "scores for"},
      {"fewer types", [](auto& f) { f.types.pop_back(); }, "types for"},
      {"NaN score", [](auto& f) { f.scores[7] = std::numeric_limits<float>::quiet_NaN(); },
       "tokenizer.ggml.scores"},
      {"type 7", [](auto& f) { f.types[9] = 7; }, "tokenizer.ggml.token_type[9]"},
      {"type -1", [](auto& f) { f.types[9] = -1; }, "-1 is not a token type"},
      {"a duplicate", [](auto& f) { f.tokens[300 - 20] = f.tokens[5]; }, "is also token 5"},
      {"byte <0x-1>", [](auto& f) { f.tokens[5] = "<0x-1>"; }, "'<0x-1>' is marked as a byte"},
      {"byte <0x 1>", [](auto& f) { f.tokens[5] = "<0x 1>"; }, "is not <0xNN>"},
      {"byte <0x123>", [](auto& f) { f.tokens[5] = "<0x123>"; }, "is not <0xNN>"},
      {"byte in words", [](auto& f) { f.tokens[5] = "five"; }, "is not <0xNN>"},
      {"bos out of range", [](auto& f) { f.numbers["bos_token_id"] = 100000; },
       "tokenizer.ggml.bos_token_id"},
      {"eos = n", [](auto& f) { f.numbers["eos_token_id"] = uint32_t(f.tokens.size()); }, "not a token id"},
      {"eot = 2^32 - 1", [](auto& f) { f.numbers["eot_token_id"] = 0xFFFFFFFF; }, "not a token id"},
      {"unk out of range", [](auto& f) { f.numbers["unknown_token_id"] = 1u << 31; }, "not a token id"},
      {"bos of another type", [](auto& f) { f.rules["bos_token_id"] = true; }, "tokenizer.ggml.bos_token_id"},
      {"add_bos of another type", [](auto& f) { f.numbers["add_bos_token"] = 1; },
       "tokenizer.ggml.add_bos_token"},
  };
  for (const Case& c : cases) {
    VocabularyFile file = small_sentencepiece();
    c.change(file);
    const std::string message = refusal([&] { file.open(); });
    EXPECT_THAT(message, HasSubstr(c.message)) << c.what;
    EXPECT_THAT(message, HasSubstr("test.gguf: ")) << c.what;
  }
}

TEST(Vocabulary, RefusesOtherElementTypes) {
  struct Case {
    const char* key;
    std::function<void(GgufWriter&, const std::string&)> add;
  };
  const auto floats = [](GgufWriter& w, const std::string& key) {
    w.add_array(key, std::vector<float>(291, 0));
  };
  const auto integers = [](GgufWriter& w, const std::string& key) {
    w.add_array(key, std::vector<int32_t>(291, 1));
  };
  const auto number = [](GgufWriter& w, const std::string& key) { w.add(key, uint32_t(291)); };
  const auto text = [](GgufWriter& w, const std::string& key) { w.add(key, "text"); };
  const auto texts = [](GgufWriter& w, const std::string& key) {
    w.add_array(key, std::vector<std::string>(291, "a"));
  };
  const auto none = [](GgufWriter& w, const std::string& key) {
    w.add_array(key, std::vector<std::string>());
  };
  for (const Case& c : {Case{"tokens", integers},
                        {"tokens", floats},
                        {"tokens", number},
                        {"tokens", text},
                        {"tokens", none},
                        {"scores", texts},
                        {"scores", text},
                        {"scores", number},
                        {"token_type", floats},
                        {"token_type", texts},
                        {"token_type", number},
                        {"merges", floats},
                        {"merges", integers},
                        {"merges", text},
                        {"pre", number}}) {
    const bool bpe = std::string_view(c.key) == "merges" || std::string_view(c.key) == "pre";
    VocabularyFile file = bpe ? small_bpe("gpt-2") : small_sentencepiece();
    if (std::string_view(c.key) == "tokens") file.tokens.clear();
    if (std::string_view(c.key) == "scores") file.scores.clear();
    if (std::string_view(c.key) == "token_type") file.types.clear();
    if (std::string_view(c.key) == "merges") file.merges.clear();
    if (std::string_view(c.key) == "pre") file.pre.reset();
    GgufWriter writer = file.writer();
    c.add(writer, std::string("tokenizer.ggml.") + c.key);
    EXPECT_THAT(refusal([&] { VocabularyFile::open(writer); }), HasSubstr(c.key));
  }
}

TEST(Vocabulary, ReadsByteTokensStrictly) {
  const VocabularyFile file = small_sentencepiece();
  for (int byte = 0; byte < 256; ++byte) EXPECT_EQ(parse_byte_token(file.tokens[3 + size_t(byte)]), byte);
  EXPECT_EQ(parse_byte_token("<0xaF>"), 0xAF);
  for (const char* text : {"", "<0x", "<0x1>", "<0x001>", "<0x-1>", "<0x+1>", "<0x 1>", "<0x1 >", "<0xG0>",
                           "<0x0G>", "<0X00>", "0x00", "<0x00)"})
    EXPECT_EQ(parse_byte_token(text), -1) << text;
}

TEST(Vocabulary, RefusesMalformedMerges) {
  for (const char* merge : {"", "a", "ab", " ", "a ", " a"}) {
    VocabularyFile file = small_bpe("gpt-2");
    file.merges.push_back(merge);
    EXPECT_THAT(refusal([&] { file.open(); }), HasSubstr("tokenizer.ggml.merges[14]")) << merge;
  }
  VocabularyFile none = small_bpe("gpt-2");
  none.merges.clear();
  EXPECT_THAT(refusal([&] { none.open(); }), HasSubstr("tokenizer.ggml.merges"));
  none.pre = "kimi-k2";
  EXPECT_EQ(none.open()->encode("ab", {.add_bos = false}).size(), 2u);
}

TEST(Vocabulary, WarnsOfWhatItGuesses) {
  VocabularyFile file = small_bpe("no-such-rules");
  EXPECT_THAT(file.open()->warnings(), ElementsAre(HasSubstr("'no-such-rules'")));
  file.pre.reset();
  EXPECT_THAT(file.open()->warnings(), ElementsAre(HasSubstr("tokenizer.ggml.pre is missing")));
  file.pre = "gpt-2";
  EXPECT_THAT(file.open()->warnings(), ElementsAre());
  file.numbers["padding_token_id"] = 1u << 30;
  EXPECT_THAT(file.open()->warnings(), ElementsAre(HasSubstr("tokenizer.ggml.padding_token_id")));
  EXPECT_EQ(file.open()->vocabulary().special.pad, kNoToken);
  file.numbers.erase("padding_token_id");
  file.merges.push_back("x y");
  EXPECT_THAT(file.open()->warnings(), ElementsAre(HasSubstr("1 of 15 merges")));
  file.merges.pop_back();
  file.tokens[200] = "another";
  EXPECT_THAT(file.open()->warnings(), ElementsAre(HasSubstr("1 of the 256 bytes")));
}

TEST(Vocabulary, NeedsTheTokensItAdds) {
  VocabularyFile file = small_bpe("gpt-2");
  file.numbers.clear();
  file.tokens.erase(file.tokens.begin() + 10,
                    file.tokens.end());  // the default BOS and EOS, 11, are gone too
  file.types.resize(10), file.scores.resize(10);
  file.merges = {"a b"};
  EXPECT_EQ(file.open()->vocabulary().special.bos, kNoToken);
  for (const char* rule : {"add_bos_token", "add_eos_token"}) {
    file.rules = {{rule, true}};
    EXPECT_THAT(refusal([&] { file.open(); }), HasSubstr(rule));
  }
}

TEST(Vocabulary, EndsGenerationByWellKnownTexts) {
  VocabularyFile file = small_bpe("gpt-2");
  const auto ends = [](const Tokenizer& t, const char* text) {
    return t.ends_generation(t.vocabulary().find(text));
  };
  const int32_t odd = file.add("<|endoftext|>");  // not marked as control
  file.add("<|return|>", 3), file.add("<|call|>", 3), file.add("<|end|>", 3), file.add("<|start|>", 3);
  const auto tokenizer = file.open();
  EXPECT_TRUE(ends(*tokenizer, "<|im_end|>"));
  EXPECT_TRUE(ends(*tokenizer, "<|endoftext|>"));
  EXPECT_TRUE(tokenizer->vocabulary().has(odd, kControl));
  EXPECT_THAT(tokenizer->warnings(), ElementsAre(HasSubstr("<|endoftext|>")));
  EXPECT_FALSE(ends(*tokenizer, "<|im_start|>"));
  EXPECT_FALSE(ends(*tokenizer, "<|end|>")) << "not where <|return|> and <|call|> are";
  EXPECT_TRUE(ends(*tokenizer, "<|return|>"));
  EXPECT_EQ(tokenizer->vocabulary().tokens.back().flags, kUserDefined) << "<|start|> is shown";
  EXPECT_EQ(tokenizer->vocabulary().special.eot, tokenizer->vocabulary().find("<|im_end|>"));
  EXPECT_FALSE(tokenizer->ends_generation(-1));
  EXPECT_FALSE(tokenizer->ends_generation(1 << 30));
}

TEST(Vocabulary, OutlivesItsFileAndNamesEmptyTokens) {
  VocabularyFile file = small_sentencepiece();
  file.tokens[280] = "";
  const auto tokenizer = file.open();  // the file is gone
  EXPECT_EQ(tokenizer->vocabulary().tokens[280].text, "[EMPTY_280]");
  EXPECT_EQ(tokenizer->vocabulary().special.newline, 3 + '\n');
}

}  // namespace
}  // namespace assay
