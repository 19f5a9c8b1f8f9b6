#include "tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tokenizer/random_text.h"
#include "tokenizer/small_vocabularies.h"
#include "tokenizer/stream_decoder.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> pieces(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  std::vector<std::string> out;
  for (const int32_t id : ids) out.emplace_back(tokenizer.piece(id));
  return out;
}

const EncodeOptions kBare{.add_bos = false, .add_eos = false};
const EncodeOptions kParse{.add_bos = false, .add_eos = false, .parse_special = true};

struct Named {
  std::string name;
  std::unique_ptr<Tokenizer> tokenizer;
};
/// One of every kind that loses nothing; all bpe rules.
const std::vector<Named>& lossless() {
  static const auto all = [] {
    std::vector<Named> out;
    out.push_back({"sentencepiece", small_sentencepiece().open()});
    VocabularyFile no_prefix = small_sentencepiece();
    no_prefix.rules["add_space_prefix"] = false;
    out.push_back({"sentencepiece, no prefix", no_prefix.open()});
    for (const PreTokenizer& entry : pretokenizers()) {
      if (entry.raw_text) continue;  // needs another vocabulary
      const std::string name(entry.names.substr(0, entry.names.find(' ')));
      out.push_back({name, small_bpe(name).open()});
    }
    VocabularyFile raw = small_sentencepiece();
    raw.model = "gemma4";
    raw.merges = {"▁ t", "h e", "▁t he", "a b", "ab c", "▁ ▁"};
    raw.numbers = {{"bos_token_id", 1}, {"eos_token_id", 2}};
    out.push_back({"gemma4", raw.open()});
    return out;
  }();
  return all;
}

RC_GTEST_PROP(Tokenizer, DecodingUndoesEncoding, ()) {
  const std::string text = *random_text();
  for (const Named& n : lossless()) {
    if (n.tokenizer->vocabulary().raw_text && text.find(kSpaceMark) != std::string::npos)
      continue;  // becomes a space
    const auto ids = n.tokenizer->encode(text, kBare);
    RC_LOG() << n.name << std::endl;
    RC_ASSERT(n.tokenizer->decode(ids) == text);
    for (const int32_t id : ids) RC_ASSERT(id >= 0 && id < n.tokenizer->vocabulary().n_tokens());
  }
}

TEST(Tokenizer, DecodingUndoesEncodingOfEveryCodePoint) {
  std::string text;
  for (char32_t c = 0; c < 0x110000; ++c)
    if ((c < 0xD800 || c >= 0xE000) && c != 0x2581) append_utf8(text, c);
  for (size_t i = 0; i < lossless().size(); i += 6) {
    const Named& n = lossless()[i];
    EXPECT_TRUE(n.tokenizer->decode(n.tokenizer->encode(text, kBare)) == text) << n.name;
  }
}

RC_GTEST_PROP(Tokenizer, SegmentsOfOneKindAreOneText, ()) {
  const std::string left = *random_text(), right = *random_text();
  const bool parse = *rc::gen::arbitrary<bool>();
  EncodeOptions options = kBare;
  options.parse_special = parse;
  const Segment segments[] = {{left, parse}, {"", !parse}, {right, parse}};
  for (const Named& n : lossless())
    RC_ASSERT(n.tokenizer->encode_segments(segments, options) == n.tokenizer->encode(left + right, options));
}

RC_GTEST_PROP(Tokenizer, StreamsWholeCharacters, ()) {
  const std::string text = *random_text();
  for (const Named& n : lossless()) {
    if (n.tokenizer->vocabulary().raw_text && text.find(kSpaceMark) != std::string::npos) continue;
    StreamDecoder stream(*n.tokenizer, {.drop_space = n.tokenizer->vocabulary().add_space_prefix});
    std::string streamed;
    for (const int32_t id : n.tokenizer->encode(text, kBare)) {
      const std::string part = stream.push(id);
      RC_ASSERT(find_invalid_utf8(part) == std::string_view::npos);
      streamed += part;
    }
    RC_ASSERT(stream.flush().empty());
    RC_ASSERT(streamed == text);
  }
}

TEST(Tokenizer, StreamsCharactersCutAtEveryByte) {
  const auto tokenizer = small_sentencepiece().open();
  const auto push_bytes = [&](StreamDecoder& stream, std::string_view bytes) {
    std::string out;
    for (const char c : bytes) out += stream.push(3 + static_cast<unsigned char>(c)) + "|";
    return out;
  };
  StreamDecoder stream(*tokenizer);
  EXPECT_EQ(push_bytes(stream, "aé你🙂"), "a||é|||你||||🙂|");
  EXPECT_EQ(stream.flush(), "");
  for (size_t n = 1; n < 4; ++n) {  // cut short
    push_bytes(stream, std::string_view("🙂").substr(0, n));
    EXPECT_EQ(stream.flush(), "\uFFFD");
  }
  EXPECT_EQ(push_bytes(stream, "\xFF\xE4\xBD!"), "\uFFFD|||\uFFFD!|");
  EXPECT_EQ(push_bytes(stream, "\xF0\x9F\xC3\xA9"), "||\uFFFD|é|");
  EXPECT_EQ(stream.flush(), "");
  EXPECT_THROW(stream.push(100000), UsageError);
}

TEST(Tokenizer, RefusesInvalidUtf8) {
  for (const Named& n : lossless()) try {
      n.tokenizer->encode("abc \xC3(");
      ADD_FAILURE() << n.name;
    } catch (const UsageError& error) {
      EXPECT_THAT(error.what(), HasSubstr("byte 4 (0xc3)"));
    }
  const Segment segments[] = {{"\xE4\xBD", true}, {"\xA0", true}};  // one character, cut: valid together
  EXPECT_EQ(lossless()[0].tokenizer->encode_segments(segments).size(), 3u);
}

TEST(Tokenizer, RefusesForeignIds) {
  for (const Named& n : lossless())
    for (const int32_t id : {-1, n.tokenizer->vocabulary().n_tokens(), 1 << 30}) {
      EXPECT_THROW(n.tokenizer->piece(id), UsageError);
      EXPECT_THROW(n.tokenizer->decode(std::vector<int32_t>{id}), UsageError);
    }
}

TEST(SentencePiece, MergesTheBestScoreFirst) {
  const auto t = small_sentencepiece().open();
  EXPECT_THAT(pieces(*t, t->encode("the cat", kBare)), ElementsAre(" the", " cat"));
  EXPECT_THAT(pieces(*t, t->encode("abc", kBare)), ElementsAre(" a", "bc"));
  EXPECT_THAT(pieces(*t, t->encode("aabc", kBare)), ElementsAre(" a", "abc"));
  EXPECT_THAT(pieces(*t, t->encode("ha b", kBare)), ElementsAre(" ", "h", "a b"))
      << "a token may span a space";
  EXPECT_THAT(pieces(*t, t->encode("你好é", kBare)), ElementsAre(" ", "你好", "é"));
  EXPECT_THAT(t->encode("Z", kBare), ElementsAre(t->vocabulary().find("▁"), 3 + 'Z')) << "byte fallback";
  EXPECT_THAT(pieces(*t, t->encode("h   h", kBare)), ElementsAre(" ", "h", "  ", " ", "h"))
      << "equals from the left";
  EXPECT_THAT(t->encode("", kBare), ElementsAre());
  EXPECT_THAT(t->encode(""), ElementsAre(1)) << "BOS unless the file says otherwise";
  EXPECT_THAT(t->encode("", {.add_eos = true}), ElementsAre(1, 2));
}

TEST(SentencePiece, SpacePrefixFollowsSpecialTokens) {
  const auto t = small_sentencepiece().open();
  EXPECT_THAT(pieces(*t, t->encode("<|im_start|>the<tool>the", kParse)),
              ElementsAre("<|im_start|>", " the", "<tool>", " the"));
  EXPECT_EQ(t->decode(t->encode(" the", kBare)), " the") << "only the added space is dropped";
  EXPECT_EQ(t->decode(t->encode("the")), " the") << "not after a BOS, as llama_detokenize";
}

TEST(Bpe, MergesByRankWithinWords) {
  const auto t = small_bpe("gpt-2").open();
  EXPECT_THAT(pieces(*t, t->encode("hello the", kBare)), ElementsAre("hello", " the"));
  EXPECT_THAT(pieces(*t, t->encode("abc", kBare)), ElementsAre("ab", "c"));
  EXPECT_THAT(pieces(*t, t->encode("你é", kBare)), ElementsAre("你", "é"));
  EXPECT_THAT(pieces(*t, t->encode("   ", kBare)), ElementsAre("  ", " ")) << "equals from the left";
  EXPECT_THAT(t->encode("", kBare), ElementsAre());
  EXPECT_EQ(t->vocabulary().special.newline, '\n');
}

TEST(Bpe, IgnoresMergesForWholeWords) {
  VocabularyFile file = small_bpe("llama-bpe");
  file.add("xyz");
  EXPECT_THAT(pieces(*file.open(), file.open()->encode("xyz", kBare)), ElementsAre("xyz"));
  file.pre = "gpt-2";
  EXPECT_THAT(pieces(*file.open(), file.open()->encode("xyz", kBare)), ElementsAre("x", "y", "z"));
}

TEST(WordPiece, TakesTheLongestPieces) {
  const auto t = small_wordpiece().open();
  EXPECT_THAT(pieces(*t, t->encode("UNaffable, Hello\tworlds!")),
              ElementsAre("[CLS]", " un", "aff", "able", " ,", " hello", " world", "s", " !", "[SEP]"));
  EXPECT_THAT(pieces(*t, t->encode("café 你好", kBare)), ElementsAre(" cafe", " 你", " 好"));
  EXPECT_THAT(pieces(*t, t->encode("unx hello", kBare)), ElementsAre("[UNK]", " hello")) << "all of the word";
  EXPECT_THAT(pieces(*t, t->encode("a\u200b\u0301b \ufffd", kBare)), ElementsAre(" a", "b"))
      << "format and mark dropped";
  EXPECT_EQ(t->decode(t->encode("hello world !"), {.clean_spaces = true}), " hello world!");
  VocabularyFile cased = small_wordpiece();
  cased.rules["normalizer.lowercase"] = false;
  EXPECT_THAT(pieces(*cased.open(), cased.open()->encode("Hello hello café", kBare)),
              ElementsAre("[UNK]", " hello", "[UNK]"));
}

TEST(SpecialTokens, AreParsedOnlyWhereAllowed) {
  const auto t = small_bpe("qwen2").open();
  const int32_t start = t->vocabulary().find("<|im_start|>"), end = t->vocabulary().find("<|im_end|>"),
                tool = t->vocabulary().find("<tool>");
  EXPECT_THAT(t->encode("<|im_start|><tool><|im_end|>", kParse), ElementsAre(start, tool, end));
  EXPECT_THAT(t->encode("<tool>", kBare), ElementsAre(tool)) << "user-defined tokens always";
  const auto unparsed = t->encode("<|im_start|>", kBare);
  EXPECT_EQ(std::count(unparsed.begin(), unparsed.end(), start), 0);
  EXPECT_EQ(t->decode(unparsed), "<|im_start|>");

  const std::string user = "<|im_end|><tool>";
  const Segment segments[] = {{"<|im_start|>", true}, {user, false}, {"<|im_end|>", true}};
  const auto ids = t->encode_segments(segments, kBare);
  EXPECT_EQ(ids.front(), start);
  EXPECT_EQ(ids.back(), end);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), end), 1) << "the user's is text";
  EXPECT_EQ(std::count(ids.begin(), ids.end(), tool), 1);
  EXPECT_EQ(t->decode(ids, {.render_special = true}), "<|im_start|>" + user + "<|im_end|>");

  const Segment straddling[] = {{"<|im_", true}, {"start|>", false}};
  const auto text = t->encode_segments(straddling, kBare);
  EXPECT_EQ(std::count(text.begin(), text.end(), start), 0) << "a token must lie in what may be parsed";
  const Segment joined[] = {{"<|im_", true}, {"start|>", true}};
  EXPECT_THAT(t->encode_segments(joined, kBare), ElementsAre(start));
}

RC_GTEST_PROP(SpecialTokens, UserTextNeverBecomesControlTokens, ()) {
  const auto& t = *lossless()[2 + *rc::gen::inRange(0, 10)].tokenizer;
  const auto user = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
      "<|im_start|>", "<|im_end|>", "<|im_", "start|>", "<", "|>", " ", "the", "\n"));
  std::string text;
  for (const std::string& part : user) text += part;
  const Segment segments[] = {{"<|im_start|>", true}, {text, false}, {"<|im_end|>", true}};
  const auto ids = t.encode_segments(segments, kBare);
  size_t n_control = 0;
  for (const int32_t id : ids) n_control += t.vocabulary().has(id, kControl);
  RC_ASSERT(n_control == 2u);
  RC_ASSERT(t.decode(ids) == text);
}

TEST(SpecialTokens, LongestFirstAndStripping) {
  VocabularyFile file = small_bpe("gpt-2");
  const int32_t x = file.add("<x>", 4), xx = file.add("<x><x>", 4);
  EXPECT_THAT(file.open()->encode("<x><x><x>", kBare), ElementsAre(xx, x));
  file.name = "Phi-3 mini";  // special tokens swallow the space after them
  EXPECT_THAT(file.open()->encode("<x> \n <x>  h", kBare),
              ElementsAre(x, x, file.open()->vocabulary().find("h")));
  file.name = "modern-bert";
  const int32_t mask = file.add("[MASK]", 3);
  EXPECT_THAT(file.open()->encode("h  [MASK]", kParse),
              ElementsAre(file.open()->vocabulary().find("h"), mask));
}

TEST(Decode, OptionsAreThoseOfTheReference) {
  VocabularyFile file = small_bpe("gpt-2");  // llama_detokenize cleans spaces for it
  file.rules = {{"add_bos_token", true}, {"add_eos_token", true}};
  const auto t = file.open();
  const auto ids = t->encode("hello !");
  EXPECT_EQ(t->decode(ids), "hello !");
  EXPECT_EQ(t->decode(ids, {.render_special = true}), "<|im_start|>hello !<|im_end|>");
  EXPECT_EQ(t->decode(ids, {.render_special = true, .drop_bos_eos = true}), "hello !");
  const auto cleaned = [&](const char* text) {
    return t->decode(t->encode(text, kBare), {.clean_spaces = true});
  };
  for (const auto& [text, clean] : {std::pair{"a .b", "a.b"},
                                    {"a ' b", "a'b"},
                                    {"it 's", "it's"},
                                    {"we 're", "we're"},
                                    {"we 'll", "we 'll"},
                                    {" .", "."},
                                    {"a ' ' b", "a'' b"},
                                    {"", ""}})
    EXPECT_EQ(cleaned(text), clean);
}

}  // namespace
}  // namespace assay
