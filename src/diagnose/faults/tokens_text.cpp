// Faults of the text on its way to the tokenizer: white space, characters, case.
#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>

#include "diagnose/faults/fault.h"
#include "diagnose/faults/source.h"
#include "tokenizer/utf8.h"

namespace assay {
namespace {

template <std::string (*Change)(std::string_view)>
void each_part(const Tokenizer&, PromptText& prompt) {
  for (PromptText::Part& part : prompt.parts) part.text = Change(part.text);
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (;;) {
    const size_t found = text.find(from);
    out += text.substr(0, found);
    if (found == std::string_view::npos) return out;
    out += to;
    text.remove_prefix(found + from.size());
  }
}

std::string white_space_to_space(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c == '\n' || c == '\t' || c == '\r'; }, ' ');
  return out;
}

std::string without_newlines(std::string_view text) {
  std::string out(text);
  std::erase(out, '\n');
  return out;
}

/// One `c` for each run of them.
std::string collapse(std::string_view text, char c) {
  std::string out;
  for (const char next : text)
    if (next != c || out.empty() || out.back() != c) out += next;
  return out;
}
std::string collapse_spaces(std::string_view text) {
  return collapse(text, ' ');
}
std::string collapse_newlines(std::string_view text) {
  return collapse(text, '\n');
}
std::string newlines_as_crlf(std::string_view text) {
  return replaced(text, "\n", "\r\n");
}
std::string without_carriage_returns(std::string_view text) {
  return replaced(text, "\r\n", "\n");
}
std::string newlines_escaped(std::string_view text) {
  return replaced(text, "\n", "\\n");
}
std::string tabs_as_spaces(std::string_view text) {
  return replaced(text, "\t", "    ");
}

constexpr std::string_view kWhiteSpace = " \t\r\n";

void trim_begin(const Tokenizer&, PromptText& prompt) {
  for (PromptText::Part& part : prompt.parts) {
    part.text.erase(0, std::min(part.text.find_first_not_of(kWhiteSpace), part.text.size()));
    if (!part.text.empty()) return;
  }
}
void trim_end(const Tokenizer&, PromptText& prompt) {
  for (auto part = prompt.parts.rbegin(); part != prompt.parts.rend(); ++part) {
    part->text.resize(part->text.find_last_not_of(kWhiteSpace) + 1);
    if (!part->text.empty()) return;
  }
}

std::string mapped(std::string_view text, int options) {
  utf8proc_uint8_t* out = nullptr;
  const utf8proc_ssize_t n = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                          utf8proc_ssize_t(text.size()), &out, utf8proc_option_t(options));
  std::string result(text);
  if (n >= 0) result.assign(reinterpret_cast<const char*>(out), size_t(n));
  std::free(out);
  return result;
}
std::string nfc(std::string_view text) {
  return mapped(text, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
}
std::string nfd(std::string_view text) {
  return mapped(text, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
}
std::string nfkc(std::string_view text) {
  return mapped(text, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
}
std::string without_accents(std::string_view text) {
  return mapped(text, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_STRIPMARK);
}

std::string lower_case(std::string_view text) {
  std::string out;
  for (size_t offset = 0; offset < text.size();)
    append_utf8(out, char32_t(utf8proc_tolower(utf8proc_int32_t(next_code_point(text, offset)))));
  return out;
}

std::string ascii_only(std::string_view text) {
  std::string out(text);
  std::erase_if(out, [](char c) { return (c & 0x80) != 0; });
  return out;
}

/// Each byte taken for a Latin-1 character.
std::string utf8_twice(std::string_view text) {
  std::string out;
  for (const char c : text) append_utf8(out, char32_t(static_cast<unsigned char>(c)));
  return out;
}

/// Surrogate pairs, each half written as a character of its own, which a strict decoder makes U+FFFD twice.
std::string broken_surrogates(std::string_view text) {
  std::string out;
  for (size_t offset = 0; offset < text.size();) {
    const char32_t c = next_code_point(text, offset);
    append_utf8(out, c > 0xFFFF ? 0xFFFD : c);
    if (c > 0xFFFF) append_utf8(out, 0xFFFD);
  }
  return out;
}

bool folds_case(const Tokenizer& t) {
  return t.vocabulary().kind == TokenizerKind::wordpiece;
}
bool keeps_text(const Tokenizer& t) {
  return !folds_case(t);
}

constexpr Fault kFaults[] = {
    {.id = "newline-as-space",
     .family = FaultFamily::tokenization,
     .change = "Newlines, tabs and carriage returns become the space mark. Only the space does; the others "
               "have tokens of "
               "their own.",
     .affects = "every vocabulary that keeps white space; first seen with SentencePiece",
     .symptom = "chat prompts lose their lines and the model rambles",
     .mend = "Replace U+0020 alone by U+2581 (or the byte alphabet's space); leave \\n, \\t, \\r to their "
             "own tokens.",
     .source = "github.com/JunSuzukiJapan/rustorch, claudedocs/TOKENIZATION_FIX_20251011.md",
     .injection = TokensFault{.touches = keeps_text, .rewrite = each_part<white_space_to_space>}},
    {.id = "newline-dropped",
     .family = FaultFamily::tokenization,
     .change = "Newlines are dropped; they are text like any other.",
     .affects = "every vocabulary that keeps white space",
     .symptom = "lines run together, chat templates lose the break after a role",
     .mend = "Read the prompt whole instead of line by line; keep \\n in what is tokenized.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = keeps_text, .rewrite = each_part<without_newlines>}},
    {.id = "newlines-collapsed",
     .family = FaultFamily::tokenization,
     .change = "Several newlines become one; a blank line is a token of its own in most vocabularies.",
     .affects = "every vocabulary that keeps white space",
     .symptom = "paragraphs are not told apart; templates with a blank line after a role are not recognized",
     .mend = "Do not normalize white space before tokenizing.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = keeps_text, .rewrite = each_part<collapse_newlines>}},
    {.id = "newline-escaped",
     .family = FaultFamily::tokenization,
     .change = "A newline reaches the tokenizer as the two characters backslash and n.",
     .affects = "prompts from shells, JSON or CSV that nobody unescaped",
     .symptom = "the answer talks about \\n, or copies it",
     .mend = "Unescape the prompt where it is read, once.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = keeps_text, .rewrite = each_part<newlines_escaped>}},
    {.id = "newline-as-crlf",
     .family = FaultFamily::tokenization,
     .change = "Newlines become carriage return and newline, as a text-mode stream of Windows writes them.",
     .affects = "every vocabulary that keeps white space",
     .symptom = "right on Linux, slightly off on Windows; twice the tokens at line ends",
     .mend = "Open the prompt's file or pipe in binary mode.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = keeps_text, .rewrite = each_part<newlines_as_crlf>}},
    {.id = "carriage-return-dropped",
     .family = FaultFamily::tokenization,
     .change = "Carriage return and newline become a newline alone.",
     .affects = "every vocabulary that keeps white space; texts with Windows line ends",
     .symptom = "token counts differ from the reference on such texts only",
     .mend = "Tokenize the bytes that came; universal-newline reading is the usual cause.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = keeps_text, .rewrite = each_part<without_carriage_returns>}},
    {.id = "tab-as-spaces",
     .family = FaultFamily::tokenization,
     .change = "A tab becomes four spaces.",
     .affects = "every vocabulary that keeps white space; code",
     .symptom = "makefiles and code come out with wrong indentation",
     .mend = "Leave tabs alone.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = keeps_text, .rewrite = each_part<tabs_as_spaces>}},
    {.id = "spaces-collapsed",
     .family = FaultFamily::tokenization,
     .change = "Several spaces become one; vocabularies have tokens for runs of spaces.",
     .affects = "every vocabulary that keeps white space; code and tables",
     .symptom = "indentation is lost; prose is right",
     .mend = "Turn off the normalizer's remove_extra_whitespaces: llama's vocabulary has it off.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = keeps_text, .rewrite = each_part<collapse_spaces>}},
    {.id = "leading-space-trimmed",
     .family = FaultFamily::tokenization,
     .change = "White space that begins the prompt is stripped.",
     .affects = "every vocabulary that keeps white space",
     .symptom = "first token differs for prompts that begin with a space or newline",
     .mend = "Do not strip the prompt.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = keeps_text, .rewrite = trim_begin}},
    {.id = "trailing-space-trimmed",
     .family = FaultFamily::tokenization,
     .change =
         "White space that ends the prompt is stripped, such as the newline after the assistant's role.",
     .affects = "every vocabulary that keeps white space; most chat templates",
     .symptom = "the answer begins with a newline, or slightly off",
     .mend = "Do not strip the prompt: templates end on purpose as they do.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = keeps_text, .rewrite = trim_end}},
    {.id = "nfc-applied",
     .family = FaultFamily::tokenization,
     .change = "Text is normalized to NFC (composed) where the file asks for no normal form.",
     .affects = "decomposed characters: accents typed on some systems, Hangul, Indic scripts",
     .symptom = "accented text slightly worse",
     .mend = "Apply only the normalizer that the model's own tokenizer has; GGUF vocabularies have none but "
             "WordPiece's.",
     .source = "github.com/ggml-org/llama.cpp/issues/5496",
     .injection = TokensFault{.touches = keeps_text, .rewrite = each_part<nfc>}},
    {.id = "nfd-applied",
     .family = FaultFamily::tokenization,
     .change = "Text is normalized to NFD (decomposed) where the file asks for no normal form.",
     .affects = "accented letters, Hangul; file names from macOS",
     .symptom = "accented text costs more tokens and reads worse",
     .mend = "Remove the decomposition.",
     .source = "github.com/ggml-org/llama.cpp/pull/24371",
     .injection = TokensFault{.touches = keeps_text, .rewrite = each_part<nfd>}},
    {.id = "nfkc-applied",
     .family = FaultFamily::tokenization,
     .change = "Text is normalized to NFKC: ligatures, full-width and superscript characters are replaced.",
     .affects = "such characters; SentencePiece's default rule, which llama's vocabulary switches off",
     .symptom = "x² reads x2; Japanese and Chinese punctuation changes",
     .mend = "Use the identity rule, as the vocabulary's normalizer spec says.",
     .source = "github.com/ggml-org/llama.cpp/issues/2023",
     .injection = TokensFault{.touches = keeps_text, .rewrite = each_part<nfkc>}},
    {.id = "accents-stripped",
     .family = FaultFamily::tokenization,
     .change = "Accents are removed, as BERT's normalizer does, for a vocabulary that keeps them.",
     .affects = "accented letters",
     .symptom = "é and e are one",
     .mend = "Keep BERT's normalizer for `bert` vocabularies.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = keeps_text, .rewrite = each_part<without_accents>}},
    {.id = "lower-cased",
     .family = FaultFamily::tokenization,
     .change = "Text is lower-cased for a vocabulary that has capitals.",
     .affects = "capitals",
     .symptom = "names and sentence beginnings are tokens of another kind; code breaks",
     .mend = "Lower-case only where tokenizer.ggml.normalizer.lowercase or BERT's default says so.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = keeps_text, .rewrite = each_part<lower_case>}},
    {.id = "non-ascii-dropped",
     .family = FaultFamily::tokenization,
     .change = "Bytes above 127 are dropped; they are parts of UTF-8 characters.",
     .affects = "everything that is not English",
     .symptom = "emoji, accents and CJK vanish",
     .mend = "Tokenize UTF-8; characters without a piece fall back to byte tokens.",
     .source = "github.com/ggml-org/llama.cpp/commit/373013477",
     .injection = TokensFault{.rewrite = each_part<ascii_only>}},
    {.id = "utf8-encoded-twice",
     .family = FaultFamily::tokenization,
     .change = "UTF-8 bytes are taken for Latin-1 characters and encoded again.",
     .affects = "everything that is not ASCII",
     .symptom = "mojibake: é reads Ã©, and token counts double there",
     .mend = "Decode the prompt's bytes as UTF-8 once.",
     .source = "github.com/ollama/ollama/pull/15232",
     .injection = TokensFault{.rewrite = each_part<utf8_twice>}},
    {.id = "surrogates-broken",
     .family = FaultFamily::tokenization,
     .change = "A character beyond U+FFFF is cut into its two UTF-16 halves, each of which becomes U+FFFD.",
     .affects = "emoji, rare ideographs; engines in JavaScript, Java, C# or Swift",
     .symptom = "emoji become replacement characters",
     .mend = "Iterate over code points, not UTF-16 units, before encoding to UTF-8.",
     .source = "github.com/huggingface/swift-transformers/issues/387",
     .injection = TokensFault{.rewrite = each_part<broken_surrogates>}},
};

}  // namespace

extern const std::span<const Fault> faults_tokens_text;
const std::span<const Fault> faults_tokens_text = kFaults;

}  // namespace assay
