// For tests and fuzzing: vocabularies small enough to read, as the metadata of a file.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gguf/writer.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

namespace assay {

/// What a file's tokenizer keys hold. An empty optional or vector is a key that is not there.
struct VocabularyFile {
  std::string model = "gpt2";
  std::optional<std::string> pre = {};
  std::vector<std::string> tokens = {};
  std::vector<float> scores = {};
  std::vector<int32_t> types =
      {};  // GGUF's numbers: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte
  std::vector<std::string> merges = {};
  std::map<std::string, uint32_t> numbers = {};  // keys without "tokenizer.ggml."
  std::map<std::string, bool> rules = {};
  std::string name = {};  // general.name

  int32_t add(const std::string& text, int32_t type = 1, float score = 0) {
    tokens.push_back(text);
    types.push_back(type);
    scores.push_back(score);
    return static_cast<int32_t>(tokens.size() - 1);
  }

  GgufWriter writer() const {
    GgufWriter out;
    const std::string prefix = "tokenizer.ggml.";
    if (!name.empty()) out.add("general.name", name);
    out.add(prefix + "model", model);
    if (pre) out.add(prefix + "pre", *pre);
    if (!tokens.empty()) out.add_array(prefix + "tokens", tokens);
    if (!scores.empty()) out.add_array(prefix + "scores", scores);
    if (!types.empty()) out.add_array(prefix + "token_type", types);
    if (!merges.empty()) out.add_array(prefix + "merges", merges);
    for (const auto& [key, number] : numbers) out.add(prefix + key, number);
    for (const auto& [key, rule] : rules) out.add(prefix + key, rule);
    return out;
  }

  /// Throws LoadError as make_tokenizer.
  std::unique_ptr<Tokenizer> open() const { return open(writer()); }
  static std::unique_ptr<Tokenizer> open(const GgufWriter& writer) {
    const std::vector<std::byte> bytes = writer.to_bytes();
    return make_tokenizer(GgufFile::parse(bytes, "test.gguf").metadata());
  }
};

inline std::string byte_character(uint8_t byte) {
  std::string text;
  append_utf8(text, kByteCharacters[byte]);
  return text;
}

/// 0 unknown, 1 BOS, 2 EOS, 3 to 258 the bytes; then a few pieces, two control tokens and a user-defined one.
inline VocabularyFile small_sentencepiece() {
  VocabularyFile file{.model = "llama"};
  file.add("<unk>", 2), file.add("<s>", 3), file.add("</s>", 3);
  constexpr char kHex[] = "0123456789ABCDEF";
  for (int byte = 0; byte < 256; ++byte)
    file.add(std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + ">", 6);
  float score = 0;
  for (const char* text : {"▁▁", "▁t", "he",  "▁the", "in",   "▁a", "er", "on", "▁c",   "at", "▁cat",
                           "ab", "bc", "abc", "▁",    "t",    "h",  "e",  "a",  "c",    "b",  "i",
                           "n",  "é",  "你",  "好",   "你好", "<",  ">",  "|",  "▁▁▁▁", "▁b", "a▁b"})
    file.add(text, 1, score -= 1);
  file.add("<|im_start|>", 3), file.add("<|im_end|>", 3), file.add("<tool>", 4);
  return file;
}

/// 0 to 255 the bytes; then a few merged pieces, two control tokens and a user-defined one.
inline VocabularyFile small_bpe(const std::string& pre) {
  VocabularyFile file{.pre = pre};
  for (int byte = 0; byte < 256; ++byte) file.add(byte_character(uint8_t(byte)));
  for (const auto& [left, right] : {std::pair{"h", "e"},
                                    {"Ġ", "t"},
                                    {"Ġt", "he"},
                                    {"a", "b"},
                                    {"b", "c"},
                                    {"Ġ", "Ġ"},
                                    {"1", "2"},
                                    {"l", "l"},
                                    {"he", "ll"},
                                    {"hell", "o"},
                                    {"Ċ", "Ċ"},
                                    {"Ã", "©"},
                                    {"ä", "½"},
                                    {"ä½", "ł"}}) {
    file.merges.push_back(std::string(left) + " " + right);
    file.add(std::string(left) + right);
  }
  const int32_t start = file.add("<|im_start|>", 3), end = file.add("<|im_end|>", 3);
  file.add("<tool>", 4);
  file.numbers["bos_token_id"] = static_cast<uint32_t>(start);
  file.numbers["eos_token_id"] = static_cast<uint32_t>(end);
  return file;
}

inline VocabularyFile small_wordpiece() {
  VocabularyFile file{.model = "bert"};
  const auto pad = file.add("[PAD]", 3), unk = file.add("[UNK]", 2), cls = file.add("[CLS]", 3),
             sep = file.add("[SEP]", 3);
  for (const char* text :
       {"▁un", "aff", "able", "▁hello", "▁world", "▁,", "▁!", "▁cafe", "▁你", "▁好", "s", "▁a", "b"})
    file.add(text);
  file.numbers = {{"padding_token_id", uint32_t(pad)},
                  {"unknown_token_id", uint32_t(unk)},
                  {"bos_token_id", uint32_t(cls)},
                  {"seperator_token_id", uint32_t(sep)},
                  {"mask_token_id", uint32_t(unk)}};
  return file;
}

}  // namespace assay
