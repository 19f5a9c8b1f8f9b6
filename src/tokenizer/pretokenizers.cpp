// The table of pre-tokenizers. Names, patterns and flags are those of llama.cpp v0.5.0 (src/llama-vocab.cpp),
// which in turn took the patterns from the models' own tokenizer.json. Where a pattern differs in form from
// theirs, it is because of how llama.cpp runs it:
//  - it knows one class of letters: \p{Lu}, \p{Ll} ... all mean \p{L}, so
//  [\p{Lu}\p{Lo}\p{M}]*[\p{Ll}\p{Lo}\p{M}]+ is
//    [\p{L}\p{M}]+;
//  - non-ASCII white space is replaced before matching, so a class of literal ranges never holds it: the
//  ranges below leave
//    it out;
//  - [^\P{L}a-z], "a letter and not a-z", is its (?=[\p{L}])([^a-z]) as one class, which needs no stack;
//  - what it does in code (GPT-2, Llama 3, Qwen, Kimi K2) equals the pattern it stands for; digit groups are
//  functions here
//    too, because their look-ahead is quadratic.
#include <algorithm>

#include "tokenizer/digit_groups.h"
#include "tokenizer/pretokenizer.h"

namespace assay {
namespace {

// Macros, because only literals concatenate.
#define CONTRACTION R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]))"
#define SPACES R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"
#define WORDS R"(|[^\r\n\p{L}\p{N}]?\p{L}+)"
#define SYMBOLS R"(| ?[^\s\p{L}\p{N}]+[\r\n]*)"
#define ASCII_PREFIXED R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+)"
#define MARKED_WORDS R"(|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
#define CJK_AND_KANA R"([\x{4E00}-\x{9FA5}\x{3040}-\x{30FF}]+)"
// U+0800-U+9FA5 and U+AC00-U+D7FF without white space.
#define BEYOND_MIDDLE_EAST                                                                    \
  R"([\x{0800}-\x{167F}\x{1681}-\x{1FFF}\x{200B}-\x{2027}\x{202A}-\x{202E}\x{2030}-\x{205E})" \
  R"(\x{2060}-\x{2FFF}\x{3001}-\x{9FA5}\x{AC00}-\x{D7FF}]+)"
#define HAN                                                                                      \
  R"(\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2B73F})" \
  R"(\x{2B740}-\x{2B81F}\x{2B820}-\x{2CEAF}\x{2CEB0}-\x{2EBEF}\x{2F800}-\x{2FA1F})"
// Letters of the scripts that have case, as DeepSeek's tokenizer.json lists them.
#define CASED_LETTERS                                                                               \
  R"(A-Za-z\x{00B5}\x{00C0}-\x{00D6}\x{00D8}-\x{00F6}\x{00F8}-\x{01BA}\x{01BC}-\x{01BF})"           \
  R"(\x{01C4}-\x{0293}\x{0295}-\x{02AF}\x{0370}-\x{0373}\x{0376}\x{0377}\x{037B}-\x{037D}\x{037F})" \
  R"(\x{0386}\x{0388}-\x{038A}\x{038C}\x{038E}-\x{03A1}\x{03A3}-\x{03F5}\x{03F7}-\x{0481})"         \
  R"(\x{048A}-\x{052F}\x{0531}-\x{0556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD})"        \
  R"(\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A})"        \
  R"(\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57})"        \
  R"(\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE})"          \
  R"(\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC})"        \
  R"(\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D})" \
  R"(\x{2124}\x{2126}\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F})"          \
  R"(\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE})" \
  R"(\x{2CF2}\x{2CF3}\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787})"         \
  R"(\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A})"        \
  R"(\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB})"                   \
  R"(\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943})"

constexpr const char* kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr const char* kLlama3 = CONTRACTION WORDS R"(|\p{N}{1,3})" SYMBOLS SPACES;
constexpr const char* kQwen2 = CONTRACTION WORDS R"(|\p{N})" SYMBOLS SPACES;
constexpr const char* kDeepseek3 = ASCII_PREFIXED MARKED_WORDS R"(| ?[\p{P}\p{S}]+[\r\n]*)" SPACES;
constexpr const char* kOneDigit = R"(\p{N})";
constexpr const char* kThreeDigits = R"(\p{N}{1,3})";
constexpr const char* kNewlineRuns = R"([^\n]+|\n+)";
constexpr const char* kBloom = R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{FF0C}\x{3001}\x{0964}\x{06D4}\x{060C})]+)";
// Words whose capitals may only lead: "getValue" is "get", "Value".
#define CAMEL_WORDS(SUFFIX)                              \
  R"([^\r\n\p{L}\p{N}]?[^\P{L}a-z]*[^\P{L}A-Z]+)" SUFFIX \
  R"(|[^\r\n\p{L}\p{N}]?[^\P{L}a-z]+[^\P{L}A-Z]*)" SUFFIX
#define CAMEL_REST R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*)" SPACES
constexpr const char* kTekken = CAMEL_WORDS("") R"(|\p{N})" CAMEL_REST;
constexpr const char* kGpt4o = CAMEL_WORDS(CONTRACTION "?") R"(|\p{N}{1,3})" CAMEL_REST;

// A cell that is not named keeps PreTokenizer's default.
constexpr PreTokenizer kTable[] = {
    {.names = "default", .rules = {{R"([\p{P}$+<=>^~|]+)"}, {kGpt2}, {R"(\p{N}+)"}, {"[0-9][0-9][0-9]"}}},
    {.names = "gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert exaone4 "
              "mpt olmo "
              "jais jina-v1-en jina-v2-code roberta-bpe",
     .rules = {{kGpt2}}},
    {.names = "trillion granite-docling", .rules = {{kGpt2}}, .clean_spaces = false},
    {.names = "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
     .rules = {{kLlama3}},
     .ignore_merges = true,
     .add_bos = true},
    {.names = "dbrx smaug-bpe", .rules = {{kLlama3}}},
    {.names = "chatglm-bpe glm4", .rules = {{kLlama3}}, .no_default_bos = true},
    {.names = "jais-2",
     .rules = {{CONTRACTION WORDS
                R"(|\p{N}{1,3})" SYMBOLS R"(|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S))"
                R"(|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s)"}}},
    {.names = "qwen2 deepseek-r1-qwen kormo f2llmv2 hunyuan solar-open grok-2",
     .rules = {{kQwen2}},
     .clean_spaces = false},
    {.names = "stablelm2 megrez", .rules = {{kQwen2}}},
    {.names = "qwen35",
     .rules = {{CONTRACTION
                R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)" SPACES}},
     .clean_spaces = false},
    {.names = "ufakzeka",
     .rules = {{R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N})" SYMBOLS SPACES}},
     .clean_spaces = false},
    {.names = "laguna", .rules = {{kNewlineRuns}, {kQwen2}}, .clean_spaces = false},
    {.names = "minicpm5",
     .rules = {{kThreeDigits}, {CONTRACTION WORDS R"(|\p{N}+)" SYMBOLS SPACES}},
     .ignore_merges = true},
    {.names = "seed-coder",
     .rules = {{CONTRACTION WORDS R"(|\p{N}| ?[^\s\p{L}\p{N}]+)" SPACES}},
     .clean_spaces = false},
    {.names = "bailingmoe bailingmoe2 llada-moe",
     .rules = {{CONTRACTION WORDS R"(|\p{N})" SYMBOLS R"(|\s*[\r\n]|\s+(?!\S)|\s+)"}},
     .clean_spaces = false},
    {.names = "exaone-moe",
     .rules = {{CONTRACTION R"(|[^\r\n\p{L}\p{N}]?\p{L}\p{M}*+(?: ?\p{L}\p{M}*+)*+)"
                            R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)"}}},
    {.names = "deepseek-llm",
     .rules = {{R"([\r\n])"},
               {R"(\s?[)" CASED_LETTERS "]+"},
               {R"(\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3001}\x{3002}]+)"},
               {R"(\s+\z)"},
               {BEYOND_MIDDLE_EAST},
               {R"(\p{N}+)"}},
     .clean_spaces = false},
    {.names = "deepseek-coder",
     .rules = {{R"([\r\n])"}, {R"(\s?\p{L}+)"}, {R"(\s?\p{P}+)"}, {BEYOND_MIDDLE_EAST}, {kOneDigit}},
     .clean_spaces = false},
    {.names = "deepseek-v3 hunyuan-dense joyai-llm hy_v4",
     .rules = {{kThreeDigits}, {CJK_AND_KANA}, {kDeepseek3}},
     .clean_spaces = false},
    {.names = "spark2_5",
     .rules = {{kThreeDigits},
               {CJK_AND_KANA},
               {ASCII_PREFIXED MARKED_WORDS R"(| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+)"},
               {kOneDigit}},
     .clean_spaces = false},
    {.names = "afmoe",
     .rules = {{.function = split_number_groups},
               {R"([\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{8C48}-\x{FAFF}\x{3040}-\x{30FF}\x{FF65}-\x{FF9F})"
                R"(\x{2F00}-\x{2FDF}\x{0E40}-\x{0EFF}\x{1780}-\x{17FF}\x{1000}-\x{109F}\x{AA60}-\x{AA7F})"
                R"(\x{A9E0}-\x{A9FF}\x{AC00}-\x{D7AF}\x{1100}-\x{11FF}]+)"},
               {kDeepseek3}},
     .clean_spaces = false},
    {.names = "youtu",
     .rules =
         {{R"([\x{AC00}-\x{D7A3}\x{3131}-\x{318E}]+|[\x{FF01}\x{2026}\x{201C}\x{201D}\x{2018}\x{2019}\x{2014})"
           R"(\x{FF1A}\x{FF1B}\x{FF0C}\x{3001}-\x{303F}\x{FE30}-\x{FE4F}]+|[\x{3105}-\x{312F}]+|)" CJK_AND_KANA},
          {R"([^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+)" CONTRACTION R"(?|\p{N})" CAMEL_REST}},
     .ignore_merges = true,
     .clean_spaces = false},
    {.names = "falcon", .rules = {{R"([\p{P}$+<=>^~|`]+)"}, {kGpt2}, {"[0-9][0-9][0-9]"}}},
    {.names = "starcoder refact codeshell exaone minerva-7b mellum2", .rules = {{kOneDigit}, {kGpt2}}},
    {.names = "command-r smollm", .rules = {{kOneDigit}, {kGpt2}}, .clean_spaces = false},
    {.names = "bloom gpt3-finnish", .rules = {{kBloom}}},
    {.names = "poro-chat", .rules = {{kBloom}}, .clean_spaces = false},
    {.names = "viking", .rules = {{kBloom}, {kOneDigit}}, .clean_spaces = false},
    {.names = "tekken", .rules = {{kTekken}}, .ignore_merges = true, .add_bos = true, .clean_spaces = false},
    {.names = "gpt-4o llama4 kanana2 talkie minimax-m2", .rules = {{kGpt4o}}, .clean_spaces = false},
    {.names = "granite-embed-multi-97m",  // as gpt-4o, marks counting as letters
     .rules =
         {{R"([^\r\n\p{L}\p{N}]?[^a-z\p{C}\p{N}\p{P}\p{S}\p{Z}]*[^A-Z\p{C}\p{N}\p{P}\p{S}\p{Z}]+)" CONTRACTION
           "?"
           R"(|[^\r\n\p{L}\p{N}]?[^a-z\p{C}\p{N}\p{P}\p{S}\p{Z}]+[^A-Z\p{C}\p{N}\p{P}\p{S}\p{Z}]*)" CONTRACTION
           R"(?|\p{N}{1,3})" CAMEL_REST}},
     .ignore_merges = true,
     .clean_spaces = false},
    {.names = "tiny_aya cohere2moe",
     .rules = {{.function = split_number_groups},
               {R"([^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+)" CONTRACTION R"(?|\p{N}{1,3})" CAMEL_REST}},
     .clean_spaces = false},
    {.names = "superbpe",
     .rules = {{R"(\p{N}+)"}, {.function = split_before_thousands}},
     .clean_spaces = false},
    {.names = "kimi-k2",
     .rules = {{"[" HAN R"(]+|[^\r\n\p{L}\p{N}]?[^\P{L})" HAN "]+" CONTRACTION
                R"(?|\p{N}{1,3})" SYMBOLS SPACES}},
     .clean_spaces = false},
    {.names = "chameleon",
     .rules = {{"<sentinel:[0-9]+>"},
               {"IMGIMG[A-I]{1,4}Z"},
               {R"([\t\n]|    |  )"},
               {kOneDigit},
               {R"([\p{P}!-/:-@\[-`{-~])"},
               {kGpt2}},
     .add_bos = true,
     .clean_spaces = false},
    {.names = "gemma4 granite-embed-multi-311m",
     .rules = {{kNewlineRuns}},
     .raw_text = true,
     .newline_runs = true,
     .force_bos = true},
    {.names = "sarvam-moe", .rules = {{kNewlineRuns}}, .clean_spaces = false, .raw_text = true},
};

}  // namespace

std::span<const PreTokenizer> pretokenizers() noexcept {
  return kTable;
}

const PreTokenizer* find_pretokenizer(std::string_view name) noexcept {
  for (const PreTokenizer& entry : kTable) {
    std::string_view names = entry.names;
    while (!names.empty()) {
      const size_t end = std::min(names.find(' '), names.size());
      if (names.substr(0, end) == name) return &entry;
      names.remove_prefix(std::min(end + 1, names.size()));
    }
  }
  return nullptr;
}

}  // namespace assay
