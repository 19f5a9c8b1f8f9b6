// Faults of a tokenizer's tables: merges, scores, pre-tokenizers, byte fallback, ids.
#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <string>

#include "diagnose/faults/fault.h"
#include "diagnose/faults/source.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/prefix_matcher.h"
#include "tokenizer/utf8.h"

namespace assay {
namespace {

using Kind = TokenizerKind;

template <Kind kKind>
bool is(const Tokenizer& t) {
  return t.vocabulary().kind == kKind;
}

/// BPE on the byte alphabet.
bool has_byte_alphabet(const Tokenizer& t) {
  return is<Kind::bpe>(t) && !t.vocabulary().raw_text;
}

// Merges and scores.

void drop_merges(TokenizerTables& t) {
  t.merges.clear();
}
void equal_ranks(TokenizerTables& t) {
  for (auto& merge : t.merges) merge.rank = 0;
}
void reverse_ranks(TokenizerTables& t) {
  for (auto& merge : t.merges) merge.rank = uint32_t(t.merges.size()) - merge.rank;
}
void rank_by_id(TokenizerTables& t) {
  for (auto& merge : t.merges) {
    const int32_t id = t.vocabulary.find(std::string(merge.left).append(merge.right));
    if (id != kNoToken) merge.rank = uint32_t(id);
  }
}
/// Half of them: as when a fixed-size table or a line-by-line reader stops early.
void halve_merges(TokenizerTables& t) {
  t.merges.resize(t.merges.size() / 2);
}
void negate_scores(TokenizerTables& t) {
  for (Token& token : t.vocabulary.tokens) token.score = -token.score;
}
void equal_scores(TokenizerTables& t) {
  for (Token& token : t.vocabulary.tokens) token.score = 0;
}
void score_by_length(TokenizerTables& t) {
  for (Token& token : t.vocabulary.tokens) token.score = float(token.text.size());
}

/// The longest token at each place, from left to right: no merges at all.
class LongestMatch final : public Tokenizer {
 public:
  explicit LongestMatch(Vocabulary vocabulary) : Tokenizer(std::move(vocabulary)), matcher_(entries()) {}

 private:
  std::vector<PrefixMatcher::Entry> entries() const {
    std::vector<PrefixMatcher::Entry> all;
    for (int32_t id = 0; id < vocabulary_.n_tokens(); ++id)
      if (vocabulary_.has(id, kNormal)) all.push_back({vocabulary_.tokens[size_t(id)].text, id});
    return all;
  }

  void encode_text(std::string_view text, bool after_special, std::vector<int32_t>& ids) const override {
    std::string spelled;
    if (after_special && vocabulary_.add_space_prefix) spelled += kSpaceMark;
    for (const char c : text)
      if (!vocabulary_.raw_text)
        append_utf8(spelled, kByteCharacters[static_cast<unsigned char>(c)]);
      else if (c == ' ')
        spelled += kSpaceMark;
      else
        spelled += c;
    for (std::string_view rest = spelled; !rest.empty();) {
      PrefixMatcher::Entry longest{rest.substr(0, 1), kNoToken};
      matcher_.match(rest, [&](const PrefixMatcher::Entry& entry) { longest = entry; });
      if (longest.id == kNoToken) longest.id = vocabulary_.byte_token(uint8_t(rest.front()));
      if (longest.id == kNoToken) longest.id = vocabulary_.special.unk;
      if (longest.id != kNoToken) ids.push_back(longest.id);
      rest.remove_prefix(longest.text.size());
    }
  }

  PrefixMatcher matcher_;
};

std::unique_ptr<Tokenizer> longest_match(TokenizerTables tables) {
  return std::make_unique<LongestMatch>(std::move(tables.vocabulary));
}
bool merges_pairs(const Tokenizer& t) {
  return !is<Kind::wordpiece>(t);
}

// Another scheme.

void bpe_of_bytes(TokenizerTables& t) {
  t.vocabulary.kind = Kind::bpe;
  t.vocabulary.raw_text = false;
  t.vocabulary.pretokenizer = find_pretokenizer("gpt-2");
}
void sentencepiece_of_pieces(TokenizerTables& t) {
  t.vocabulary.kind = Kind::sentencepiece;
  t.vocabulary.add_space_prefix = true;
}
void no_byte_alphabet(TokenizerTables& t) {
  t.vocabulary.raw_text = true;
}

// Pre-tokenizers: the healthy entry with other rules.

/// A pre-tokenizer that lives as long as the program, changed from `healthy` once.
const PreTokenizer* variant(const PreTokenizer& healthy, const char* name,
                            void (*change)(PreTokenizer& copy, std::deque<std::string>& patterns)) {
  static std::mutex mutex;
  static std::map<std::pair<const PreTokenizer*, std::string_view>, PreTokenizer> variants;
  static std::deque<std::string> patterns;
  const std::scoped_lock lock(mutex);
  const auto [place, fresh] = variants.try_emplace({&healthy, name}, healthy);
  if (fresh) change(place->second, patterns);
  return &place->second;
}

using PatternEdit = std::string (*)(std::string_view pattern);
template <PatternEdit kEdit>
void edit_patterns(PreTokenizer& copy, std::deque<std::string>& patterns) {
  for (SplitRule& rule : copy.rules)
    if (rule.pattern) rule.pattern = patterns.emplace_back(kEdit(rule.pattern)).c_str();
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out(text);
  for (size_t at = out.find(from); at != std::string::npos; at = out.find(from, at + to.size()))
    out.replace(at, from.size(), to);
  return out;
}

constexpr std::string_view kTrailingSpaces = R"(\s+(?!\S)|)";

std::string without_lookahead(std::string_view pattern) {
  return replace_all(pattern, kTrailingSpaces, "");
}

/// Letters, numbers and white space as a library without Unicode tables sees them.
std::string with_ascii_classes(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const std::string_view rest = pattern.substr(i);
    const auto put = [&](std::string_view members, size_t n_pattern) {
      out += in_class ? std::string(members) : "[" + std::string(members) + "]";
      i += n_pattern - 1;
    };
    if (rest.starts_with(R"(\p{L})")) {
      put("A-Za-z", 5);
    } else if (rest.starts_with(R"(\p{N})")) {
      put("0-9", 5);
    } else if (rest.starts_with("\\")) {
      out += rest.substr(0, 2);
      ++i;
    } else {
      if (rest.front() == '[') in_class = true;
      if (rest.front() == ']') in_class = false;
      out += rest.front();
    }
  }
  return out;
}

template <PatternEdit kEdit>
void change_patterns(TokenizerTables& t) {
  t.vocabulary.pretokenizer = variant(*t.vocabulary.pretokenizer, __PRETTY_FUNCTION__, edit_patterns<kEdit>);
}
template <PatternEdit kEdit>
bool changes_patterns(const Tokenizer& t) {
  if (!is<Kind::bpe>(t)) return false;
  for (const SplitRule& rule : t.vocabulary().pretokenizer->rules)
    if (rule.pattern && kEdit(rule.pattern) != rule.pattern) return true;
  return false;
}

/// The rules of the pre-tokenizer called `kName`, everything else the file's own.
template <const char* kName>
void other_rules(TokenizerTables& t) {
  t.vocabulary.pretokenizer =
      variant(*t.vocabulary.pretokenizer, kName, [](PreTokenizer& copy, std::deque<std::string>&) {
        std::copy_n(find_pretokenizer(kName)->rules, std::size(copy.rules), copy.rules);
      });
}
template <const char* kName>
bool has_other_rules(const Tokenizer& t) {
  return has_byte_alphabet(t) && t.vocabulary().pretokenizer != find_pretokenizer(kName);
}
constexpr char kDefault[] = "default", kGpt2[] = "gpt-2", kLlama3[] = "llama-bpe", kQwen2[] = "qwen2";

void no_rules(TokenizerTables& t) {
  t.vocabulary.pretokenizer =
      variant(*t.vocabulary.pretokenizer, "none", [](PreTokenizer& copy, std::deque<std::string>&) {
        std::fill(std::begin(copy.rules), std::end(copy.rules), SplitRule{});
      });
}
void merges_always(TokenizerTables& t) {
  t.vocabulary.pretokenizer =
      variant(*t.vocabulary.pretokenizer, "merges always",
              [](PreTokenizer& copy, std::deque<std::string>&) { copy.ignore_merges = false; });
}
bool ignores_merges(const Tokenizer& t) {
  return is<Kind::bpe>(t) && t.vocabulary().pretokenizer->ignore_merges;
}

size_t n_rules(const PreTokenizer& p) {
  return size_t(std::count_if(std::begin(p.rules), std::end(p.rules),
                              [](const SplitRule& r) { return r.pattern || r.function; }));
}
bool has_several_rules(const Tokenizer& t) {
  return is<Kind::bpe>(t) && n_rules(*t.vocabulary().pretokenizer) > 1;
}
/// What the second rule cuts again is there twice: whole, at its old offset, and in parts.
void repeat_what_is_cut_again(const Tokenizer& healthy, PromptText& prompt) {
  const PreTokenizer& all = *healthy.vocabulary().pretokenizer;
  PreTokenizer first = all, others = all;
  std::fill(first.rules + 1, std::end(first.rules), SplitRule{});
  others.rules[0] = {};
  const Splitter first_rule(first), other_rules(others);
  for (PromptText::Part& part : prompt.parts) {
    std::string out;
    for (const std::string_view piece : first_rule.split(part.text)) {
      out += piece;
      if (other_rules.split(piece).size() > 1) out += piece;
    }
    part.text = std::move(out);
  }
}

// Byte fallback.

/// No text finds a byte token any more.
void hide_byte_tokens(Vocabulary& v) {
  TextIndex ids;
  ids.reserve(v.tokens.size());
  for (size_t id = 0; id < v.tokens.size(); ++id)
    if (!(v.tokens[id].flags & kByte)) ids.add(v.tokens[id].text, int32_t(id));
  v.ids = std::move(ids);
}
void bytes_as_unknown(TokenizerTables& t) {
  hide_byte_tokens(t.vocabulary);
}
void bytes_dropped(TokenizerTables& t) {
  hide_byte_tokens(t.vocabulary);
  t.vocabulary.special.unk = kNoToken;
}
bool has_byte_tokens(const Tokenizer& t) {
  return is<Kind::sentencepiece>(t) && t.vocabulary().find("<0x0A>") != kNoToken;
}
bool has_byte_and_unknown_tokens(const Tokenizer& t) {
  return has_byte_tokens(t) && t.vocabulary().special.unk != kNoToken;
}
void byte_values_as_ids(const Tokenizer& healthy, std::vector<int32_t>& ids, size_t) {
  for (int32_t& id : ids)
    if (healthy.vocabulary().has(id, kByte)) id = uint8_t(healthy.piece(id)[0]);
}

// WordPiece's normalizer.

void keep_case(TokenizerTables& t) {
  t.vocabulary.lowercase = false;
}
void keep_accents(TokenizerTables& t) {
  t.vocabulary.strip_accents = false;
}
bool lowers_case(const Tokenizer& t) {
  return is<Kind::wordpiece>(t) && t.vocabulary().lowercase;
}
bool strips_accents(const Tokenizer& t) {
  return is<Kind::wordpiece>(t) && t.vocabulary().strip_accents;
}

// Ids.

void all_ids_up(const Tokenizer& healthy, std::vector<int32_t>& ids, size_t) {
  for (int32_t& id : ids) id = (id + 1) % healthy.vocabulary().n_tokens();
}
/// The first id of the special tokens that were added behind the vocabulary.
int32_t first_added(const Vocabulary& v) {
  int32_t id = v.n_tokens();
  while (id > 0 && v.has(id - 1, kControl | kUserDefined | kUnused)) --id;
  return id;
}
bool has_added_tokens(const Tokenizer& t) {
  return first_added(t.vocabulary()) < t.vocabulary().n_tokens();
}
void added_ids_up(const Tokenizer& healthy, std::vector<int32_t>& ids, size_t) {
  const int32_t first = first_added(healthy.vocabulary());
  for (int32_t& id : ids) id += id >= first;
}

constexpr Fault kFaults[] = {
    {.id = "merges-absent",
     .family = FaultFamily::tokenization,
     .change = "No merge is applied: every byte stays a token. The merges array was allocated and never "
               "filled, or its "
               "key was not found.",
     .affects = "byte-level BPE",
     .symptom = "about one token a byte; unrelated, random output",
     .mend = "Read tokenizer.ggml.merges, an array of \"left right\", and check that it is not empty.",
     .source = "github.com/quantumaikr/quant.cpp/pull/21",
     .injection = TokensFault{.touches = is<Kind::bpe>, .change = drop_merges}},
    {.id = "merges-left-to-right",
     .family = FaultFamily::tokenization,
     .change = "Any merge that fits is applied from left to right; the pair of the lowest rank must go "
               "first, anywhere in "
               "the word.",
     .affects = "byte-level BPE",
     .symptom =
         "same text, other splits of more than half of the words; grammatical and dull answers, no error",
     .mend = "In each round merge the adjacent pair that stands earliest in tokenizer.ggml.merges.",
     .source = "github.com/ztxz16/fastllm/pull/715",
     .injection = TokensFault{.touches = is<Kind::bpe>, .change = equal_ranks}},
    {.id = "merges-by-id",
     .family = FaultFamily::tokenization,
     .change = "Merges are ranked by the id of their result instead of by their place in the list.",
     .affects = "byte-level BPE whose ids are not in the order of its merges",
     .symptom = "some words split otherwise",
     .mend = "Rank by the index in tokenizer.ggml.merges.",
     .source = "github.com/ztxz16/fastllm/pull/715",
     .injection = TokensFault{.touches = is<Kind::bpe>, .change = rank_by_id}},
    {.id = "merges-last-first",
     .family = FaultFamily::tokenization,
     .change = "The merge of the highest rank goes first; ranks are priorities where the lowest wins.",
     .affects = "byte-level BPE",
     .symptom = "same text, other splits everywhere",
     .mend = "Use a min-heap of ranks.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = is<Kind::bpe>, .change = reverse_ranks}},
    {.id = "merges-cut-short",
     .family = FaultFamily::tokenization,
     .change = "Only the first half of the merges is known.",
     .affects = "byte-level BPE with more merges than a fixed table, or a 16-bit count, holds",
     .symptom = "common words are right, rare ones fall into pieces",
     .mend = "Size the table by the array's own count.",
     .source = "github.com/huggingface/candle/pull/3670",
     .injection = TokensFault{.touches = is<Kind::bpe>, .change = halve_merges}},
    {.id = "whole-words-not-looked-up",
     .family = FaultFamily::tokenization,
     .change = "A word that is a token is merged from its bytes; this pre-tokenizer takes whole words first "
               "(ignore_merges).",
     .affects = "llama-bpe, tekken and others with ignore_merges",
     .symptom = "words that are in the vocabulary come out as two ids or more",
     .mend = "Look the whole pre-tokenized word up before merging.",
     .source = "github.com/ggml-org/llama.cpp/pull/7193",
     .injection = TokensFault{.touches = ignores_merges, .change = merges_always}},
    {.id = "scores-lowest-first",
     .family = FaultFamily::tokenization,
     .change = "The pair of the lowest score merges first; the highest must.",
     .affects = "SentencePiece",
     .symptom = "same text, rare splits everywhere",
     .mend = "Use a max-heap of scores; they are negative log-probabilities' negatives, near 0 is best.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = is<Kind::sentencepiece>, .change = negate_scores}},
    {.id = "scores-ignored",
     .family = FaultFamily::tokenization,
     .change = "Any piece that fits is merged from left to right, scores unread.",
     .affects = "SentencePiece",
     .symptom = "same text, other splits",
     .mend = "Read tokenizer.ggml.scores; merge the pair whose piece scores highest.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = is<Kind::sentencepiece>, .change = equal_scores}},
    {.id = "scores-by-length",
     .family = FaultFamily::tokenization,
     .change = "The pair that makes the longest piece merges first, instead of the best-scored.",
     .affects = "SentencePiece",
     .symptom = "same text, some words split otherwise",
     .mend = "Order merges by tokenizer.ggml.scores alone.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = is<Kind::sentencepiece>, .change = score_by_length}},
    {.id = "longest-match",
     .family = FaultFamily::tokenization,
     .change =
         "The longest token at each place is taken from left to right; the vocabulary is made for merging.",
     .affects = "SentencePiece and byte-level BPE",
     .symptom = "most words are right, long and rare ones and what spans words are not",
     .mend = "Merge pairs by score (SentencePiece) or rank (BPE).",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = merges_pairs, .make = longest_match}},
    {.id = "bpe-on-sentencepiece",
     .family = FaultFamily::tokenization,
     .change = "Byte-level BPE runs on a SentencePiece vocabulary: the space is looked up as Ġ, which it "
               "does not have.",
     .affects = "llama, mistral, gemma vocabularies",
     .symptom = "spaces vanish; single letters",
     .mend = "Choose the scheme by tokenizer.ggml.model: llama is SentencePiece, gpt2 is byte-level BPE.",
     .source = "github.com/ariannamethod/notorch/pull/41",
     .injection = TokensFault{.touches = is<Kind::sentencepiece>, .change = bpe_of_bytes}},
    {.id = "sentencepiece-on-bpe",
     .family = FaultFamily::tokenization,
     .change = "SentencePiece runs on a byte-level BPE vocabulary: the space is looked up as U+2581, which "
               "it does not "
               "have.",
     .affects = "gpt2-type vocabularies: llama 3, qwen",
     .symptom = "spaces vanish, words fall into pieces",
     .mend = "Choose the scheme by tokenizer.ggml.model: llama is SentencePiece, gpt2 is byte-level BPE.",
     .source = "github.com/SKaiNET-developers/SKaiNET/issues/463",
     .injection = TokensFault{.touches = has_byte_alphabet, .change = sentencepiece_of_pieces}},
    {.id = "byte-alphabet-missing",
     .family = FaultFamily::tokenization,
     .change = "Bytes are looked up as they are; the vocabulary writes them in GPT-2's alphabet (space is Ġ, "
               "newline Ċ).",
     .affects = "byte-level BPE",
     .symptom = "spaces, newlines and everything beyond ASCII vanish",
     .mend = "Map every byte through bytes_to_unicode before merging, and back after decoding.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = has_byte_alphabet, .change = no_byte_alphabet}},
    {.id = "pre-tokenizer-default",
     .family = FaultFamily::tokenization,
     .change = "Text is split by llama.cpp's `default` rules; tokenizer.ggml.pre names others.",
     .affects = "byte-level BPE",
     .symptom = "numbers, punctuation and apostrophes split otherwise; worse arithmetic",
     .mend = "Read tokenizer.ggml.pre and use its pattern.",
     .source = "github.com/ggml-org/llama.cpp/pull/6920",
     .injection = TokensFault{.touches = has_other_rules<kDefault>, .change = other_rules<kDefault>}},
    {.id = "pre-tokenizer-gpt-2",
     .family = FaultFamily::tokenization,
     .change = "Text is split by GPT-2's pattern; tokenizer.ggml.pre names another.",
     .affects = "byte-level BPE of other families",
     .symptom = "long numbers, capitals before apostrophes and runs of white space split otherwise",
     .mend = "Read tokenizer.ggml.pre and use its pattern.",
     .source = "github.com/ggml-org/llama.cpp/pull/6920",
     .injection = TokensFault{.touches = has_other_rules<kGpt2>, .change = other_rules<kGpt2>}},
    {.id = "pre-tokenizer-llama-3",
     .family = FaultFamily::tokenization,
     .change = "Text is split by Llama 3's pattern (digits in groups of up to three); tokenizer.ggml.pre "
               "names another.",
     .affects = "byte-level BPE of other families; qwen2 splits digits one by one",
     .symptom = "numbers split otherwise; worse arithmetic",
     .mend = "Read tokenizer.ggml.pre and use its pattern.",
     .source = "github.com/ggml-org/llama.cpp/pull/6920",
     .injection = TokensFault{.touches = has_other_rules<kLlama3>, .change = other_rules<kLlama3>}},
    {.id = "pre-tokenizer-qwen-2",
     .family = FaultFamily::tokenization,
     .change = "Text is split by Qwen 2's pattern (digits one by one); tokenizer.ggml.pre names another.",
     .affects = "byte-level BPE of other families; llama 3 has groups of up to three digits",
     .symptom = "numbers split otherwise; worse arithmetic",
     .mend = "Read tokenizer.ggml.pre and use its pattern.",
     .source = "github.com/ggml-org/llama.cpp/pull/6920",
     .injection = TokensFault{.touches = has_other_rules<kQwen2>, .change = other_rules<kQwen2>}},
    {.id = "pre-tokenizer-none",
     .family = FaultFamily::tokenization,
     .change = "Merges run over the whole text; the pre-tokenizer must cut it into words first.",
     .affects = "byte-level BPE",
     .symptom = "mostly right; punctuation and spaces merge across word ends",
     .mend = "Split by the pattern that tokenizer.ggml.pre names, merge inside each piece.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = has_byte_alphabet, .change = no_rules}},
    {.id = "pre-tokenizer-no-look-ahead",
     .family = FaultFamily::tokenization,
     .change = "The pattern's \\s+(?!\\S) is left out, so a run of spaces takes the last one too, which "
               "belongs to the next "
               "word.",
     .affects = "byte-level BPE in engines whose regex library has no look-ahead (RE2, Rust's regex, Go)",
     .symptom = "indented code and double spaces split otherwise",
     .mend = "Use a library with look-ahead, or give the last space of a run back to the word in code.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = changes_patterns<without_lookahead>,
                              .change = change_patterns<without_lookahead>}},
    {.id = "pre-tokenizer-ascii-classes",
     .family = FaultFamily::tokenization,
     .change = "\\p{L} and \\p{N} match ASCII letters and digits only.",
     .affects = "byte-level BPE in engines whose regex library has no Unicode tables (std::regex, POSIX)",
     .symptom = "English is right, other scripts cost more tokens and read worse",
     .mend = "Use a library with Unicode properties, in UTF mode.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = changes_patterns<with_ascii_classes>,
                              .change = change_patterns<with_ascii_classes>}},
    {.id = "pre-tokenizer-stale-offsets",
     .family = FaultFamily::tokenization,
     .change = "The second pattern runs on the pieces of the first with their old offsets: what it cuts is "
               "there twice.",
     .affects = "pre-tokenizers of several patterns: deepseek, starcoder, falcon",
     .symptom = "duplicated words; the ids decode to a longer text",
     .mend = "Replace a piece by its parts; compute offsets anew after each pattern.",
     .source = "github.com/ollama/ollama/commit/ec9b4e9e4",
     .injection = TokensFault{.touches = has_several_rules, .rewrite = repeat_what_is_cut_again}},
    {.id = "byte-fallback-unknown",
     .family = FaultFamily::tokenization,
     .change = "A character without a piece becomes the unknown token; its bytes have tokens <0xNN>.",
     .affects = "SentencePiece with byte fallback",
     .symptom = "emoji, CJK and, in llama's vocabulary, newlines become <unk>",
     .mend = "Emit <0xNN> for each byte of the character.",
     .source = "github.com/ggml-org/llama.cpp/commit/373013477",
     .injection = TokensFault{.touches = has_byte_and_unknown_tokens, .change = bytes_as_unknown}},
    {.id = "byte-fallback-dropped",
     .family = FaultFamily::tokenization,
     .change = "A character without a piece is dropped; its bytes have tokens <0xNN>.",
     .affects = "SentencePiece with byte fallback",
     .symptom = "emoji, CJK and, in llama's vocabulary, newlines vanish",
     .mend = "Emit <0xNN> for each byte of the character.",
     .source = "github.com/ollama/ollama/pull/15232",
     .injection = TokensFault{.touches = has_byte_tokens, .change = bytes_dropped}},
    {.id = "byte-fallback-value-as-id",
     .family = FaultFamily::tokenization,
     .change = "A byte's value is taken for its id; byte tokens begin behind the special ones.",
     .affects = "SentencePiece with byte fallback: llama's <0x00> is id 3",
     .symptom = "emoji and newlines become other bytes",
     .mend = "Look <0xNN> up in the vocabulary.",
     .source = "github.com/huggingface/swift-transformers/issues/387",
     .injection = TokensFault{.touches = has_byte_tokens, .edit = byte_values_as_ids}},
    {.id = "word-piece-case-kept",
     .family = FaultFamily::tokenization,
     .change = "Capitals are kept; this vocabulary is lower case.",
     .affects = "WordPiece, uncased",
     .symptom = "capitalized words become [UNK]",
     .mend = "Lower-case before the look-up.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = lowers_case, .change = keep_case}},
    {.id = "word-piece-accents-kept",
     .family = FaultFamily::tokenization,
     .change = "Accents are kept; this vocabulary is without.",
     .affects = "WordPiece that strips accents",
     .symptom = "accented words become [UNK]",
     .mend = "Decompose and drop combining marks before the look-up.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = strips_accents, .change = keep_accents}},
    {.id = "ids-off-by-one",
     .family = FaultFamily::tokenization,
     .change = "Every id is one too high: the vocabulary was numbered from 1, or a token put in front.",
     .affects = "every vocabulary",
     .symptom = "unrelated words; fluent nonsense",
     .mend = "Number tokens by their index in tokenizer.ggml.tokens, from 0.",
     .source = kFromTheFormat,
     .injection = TokensFault{.edit = all_ids_up}},
    {.id = "added-ids-off-by-one",
     .family = FaultFamily::tokenization,
     .change =
         "The ids of the special tokens behind the vocabulary are one too high; ordinary ids are right.",
     .affects = "vocabularies with added tokens: llama 3, qwen, phi-3",
     .symptom = "plain text is right, chat is not",
     .mend = "Read added tokens from tokenizer.ggml.tokens like all others.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = has_added_tokens, .edit = added_ids_up}},
};

}  // namespace

extern const std::span<const Fault> faults_tokens_vocabulary;
const std::span<const Fault> faults_tokens_vocabulary = kFaults;

}  // namespace assay
