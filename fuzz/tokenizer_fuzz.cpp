// Tokenizers from bytes. The first byte chooses: one of the small vocabularies, which then encodes and
// decodes the rest, or a vocabulary made of the rest, which is refused with a LoadError or then works.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/small_vocabularies.h"
#include "tokenizer/stream_decoder.h"

namespace {

using namespace assay;

void check(bool holds) {
  if (!holds) __builtin_trap();
}

/// Encodes `text` whole and as two segments, decodes it all at once and piece by piece.
void exercise(const Tokenizer& tokenizer, std::string_view text) {
  const size_t half = text.size() / 2;
  const Segment segments[] = {{text.substr(0, half), true}, {text.substr(half), false}};
  try {
    for (const auto& ids : {tokenizer.encode(text), tokenizer.encode(text, {.parse_special = true}),
                            tokenizer.encode_segments(segments)}) {
      StreamDecoder stream(tokenizer, {.render_special = true});
      for (const int32_t id : ids) check(find_invalid_utf8(stream.push(id)) == std::string_view::npos);
      stream.flush();
      tokenizer.decode(ids, {.render_special = true, .drop_bos_eos = true, .clean_spaces = true});
    }
    check(find_invalid_utf8(text) == std::string_view::npos);
  } catch (const UsageError&) {
    check(find_invalid_utf8(text) != std::string_view::npos);
  }
}

void exercise_small(size_t choice, std::string_view text) {
  struct Entry {
    std::unique_ptr<Tokenizer> tokenizer;
    bool lossless;
  };
  static const auto entries = [] {
    std::vector<Entry> all;
    all.push_back({small_sentencepiece().open(), false});
    all.push_back({small_wordpiece().open(), false});
    for (const PreTokenizer& pre : pretokenizers())
      all.push_back({small_bpe(std::string(pre.names.substr(0, pre.names.find(' ')))).open(), !pre.raw_text});
    return all;
  }();
  const Entry& entry = entries[choice % entries.size()];
  exercise(*entry.tokenizer, text);
  if (entry.lossless && find_invalid_utf8(text) == std::string_view::npos)
    check(entry.tokenizer->decode(entry.tokenizer->encode(text, {.add_bos = false, .add_eos = false})) ==
          text);
}

/// Lines: model, pre, then tokens `type,score,text`, merges `m,text`, numbers `n,key,number`. Small, and
/// often nearly right.
void exercise_hostile(std::string_view input) {
  const auto take = [&input](char end) {
    const size_t n = std::min(input.find(end), input.size());
    const std::string_view field = input.substr(0, n);
    input.remove_prefix(std::min(n + 1, input.size()));
    return std::string(field);
  };
  VocabularyFile file{.model = take('\n'), .pre = take('\n')};
  while (!input.empty()) {
    std::string line = take('\n');
    const auto field = [&line] {
      const size_t n = std::min(line.find(','), line.size());
      const std::string text = line.substr(0, n);
      line.erase(0, std::min(n + 1, line.size()));
      return text;
    };
    const std::string kind = field();
    if (kind == "m") {
      file.merges.push_back(line);
    } else if (kind == "n") {
      const std::string key = field();
      file.numbers[key] = static_cast<uint32_t>(std::strtoul(line.c_str(), nullptr, 10));
    } else if (kind == "bytes") {  // a whole byte alphabet, which no mutation finds
      for (int byte = 0; byte < 256; ++byte) file.add(byte_character(uint8_t(byte)));
    } else {
      const std::string score = field();
      file.add(line, std::atoi(kind.c_str()), std::strtof(score.c_str(), nullptr));
    }
  }
  std::unique_ptr<Tokenizer> tokenizer;
  try {
    tokenizer = file.open();
  } catch (const LoadError&) {
    return;
  }
  for (int32_t id = 0; id < tokenizer->vocabulary().n_tokens(); ++id) tokenizer->piece(id);
  std::string text = "Hello, world 123 \n\t é你🙂";
  for (const std::string& token : file.tokens)
    if (find_invalid_utf8(token) == std::string_view::npos) text += token;
  exercise(*tokenizer, text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == '#')
    exercise_hostile(rest);
  else
    exercise_small(data[0], rest);
  return 0;
}
