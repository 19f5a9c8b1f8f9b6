// Faults around a text: BOS, EOS, space prefix, special tokens, the context's length.
#include <algorithm>

#include "diagnose/faults/fault.h"
#include "diagnose/faults/source.h"

namespace assay {
namespace {

const Vocabulary& vocabulary_of(const Tokenizer& t) {
  return t.vocabulary();
}
bool is_word_piece(const Tokenizer& t) {
  return t.vocabulary().kind == TokenizerKind::wordpiece;
}

// BOS and EOS. What an author calls EOS is [SEP] in WordPiece.

int32_t end_token(const Tokenizer& t) {
  return is_word_piece(t) ? t.vocabulary().special.sep : t.vocabulary().special.eos;
}
bool has_bos(const Tokenizer& t) {
  return vocabulary_of(t).special.bos != kNoToken;
}
bool adds_bos(const Tokenizer& t) {
  return has_bos(t) && vocabulary_of(t).add_bos;
}
bool has_unasked_bos(const Tokenizer& t) {
  return has_bos(t) && !vocabulary_of(t).add_bos;
}
bool adds_eos(const Tokenizer& t) {
  return end_token(t) != kNoToken && vocabulary_of(t).add_eos;
}
bool has_unasked_eos(const Tokenizer& t) {
  return end_token(t) != kNoToken && !vocabulary_of(t).add_eos;
}
bool has_bos_and_other_eos(const Tokenizer& t) {
  return adds_bos(t) && end_token(t) != kNoToken && end_token(t) != vocabulary_of(t).special.bos;
}

void no_bos(TokenizerTables& t) {
  t.vocabulary.add_bos = false;
}
void unasked_bos(TokenizerTables& t) {
  t.vocabulary.add_bos = true;
}
void no_eos(TokenizerTables& t) {
  t.vocabulary.add_eos = false;
}
void repeat_bos(const Tokenizer& healthy, std::vector<int32_t>& ids, size_t) {
  if (!ids.empty() && ids.front() == vocabulary_of(healthy).special.bos)
    ids.insert(ids.begin(), vocabulary_of(healthy).special.bos);
}
void bos_spelled_out(const Tokenizer& healthy, PromptText& prompt) {
  const Vocabulary& v = vocabulary_of(healthy);
  prompt.parts.insert(prompt.parts.begin(), {std::string(v.tokens[size_t(v.special.bos)].text), false});
}
void eos_for_bos(const Tokenizer& healthy, std::vector<int32_t>& ids, size_t) {
  if (!ids.empty() && ids.front() == vocabulary_of(healthy).special.bos) ids.front() = end_token(healthy);
}
void append_eos(const Tokenizer& healthy, std::vector<int32_t>& ids, size_t) {
  ids.push_back(end_token(healthy));
}

// The space that SentencePiece puts before a text.

bool adds_space(const Tokenizer& t) {
  return vocabulary_of(t).kind == TokenizerKind::sentencepiece && vocabulary_of(t).add_space_prefix;
}
bool adds_no_space(const Tokenizer& t) {
  return !is_word_piece(t) && !adds_space(t);
}
void no_space(TokenizerTables& t) {
  t.vocabulary.add_space_prefix = false;
}
/// Whether the text begins with a token that is found before ordinary text is encoded.
bool begins_with_special(const Vocabulary& v, const PromptText::Part& part) {
  return std::any_of(v.tokens.begin(), v.tokens.end(), [&](const Token& token) {
    const uint8_t found = part.parse_special ? kControl | kUserDefined | kUnknown : kUserDefined;
    return (token.flags & found) && part.text.starts_with(token.text);
  });
}
PromptText::Part* first_part(PromptText& prompt) {
  for (PromptText::Part& part : prompt.parts)
    if (!part.text.empty()) return &part;
  return nullptr;
}
void space_before_first(const Tokenizer& healthy, PromptText& prompt) {
  PromptText::Part* part = first_part(prompt);
  if (part && !begins_with_special(vocabulary_of(healthy), *part)) part->text.insert(0, " ");
}
void space_before_all(const Tokenizer&, PromptText& prompt) {
  if (PromptText::Part* part = first_part(prompt)) part->text.insert(0, " ");
}
void no_second_space(const Tokenizer&, PromptText& prompt) {
  PromptText::Part* part = first_part(prompt);
  if (part && part->text.starts_with(' ')) part->text.erase(0, 1);
}

// Special tokens in the text.

bool has_flag(const Tokenizer& t, uint8_t flags) {
  const auto& tokens = vocabulary_of(t).tokens;
  return std::any_of(tokens.begin(), tokens.end(), [&](const Token& token) { return token.flags & flags; });
}
bool has_control(const Tokenizer& t) {
  return has_flag(t, kControl);
}
bool has_user_defined(const Tokenizer& t) {
  return has_flag(t, kUserDefined);
}
bool has_stripping(const Tokenizer& t) {
  return has_flag(t, kStripLeft | kStripRight);
}
void control_as_text(const Tokenizer&, PromptText& prompt) {
  for (PromptText::Part& part : prompt.parts) part.parse_special = false;
}
void control_in_user_text(const Tokenizer&, PromptText& prompt) {
  for (PromptText::Part& part : prompt.parts) part.parse_special = true;
}
void user_defined_as_normal(TokenizerTables& t) {
  for (Token& token : t.vocabulary.tokens)
    if (token.flags & kUserDefined) token.flags = kNormal;
}
void strip_nothing(TokenizerTables& t) {
  for (Token& token : t.vocabulary.tokens) token.flags &= uint8_t(~(kStripLeft | kStripRight));
}
void strip_around_all(TokenizerTables& t) {
  for (Token& token : t.vocabulary.tokens)
    if (token.flags & (kControl | kUserDefined | kUnknown)) token.flags |= kStripLeft | kStripRight;
}

// The context.

void keep_tail(const Tokenizer&, std::vector<int32_t>& ids, size_t n_context) {
  if (ids.size() > n_context) ids.erase(ids.begin(), ids.end() - ptrdiff_t(n_context));
}
void keep_bos_and_tail(const Tokenizer& healthy, std::vector<int32_t>& ids, size_t n_context) {
  const bool bos = !ids.empty() && ids.front() == vocabulary_of(healthy).special.bos;
  if (ids.size() > n_context && n_context >= 1)
    ids.erase(ids.begin() + bos, ids.end() - ptrdiff_t(n_context - bos));
}
void keep_head(const Tokenizer&, std::vector<int32_t>& ids, size_t n_context) {
  ids.resize(std::min(ids.size(), n_context));
}

constexpr Fault kFaults[] = {
    {.id = "bos-missing",
     .family = FaultFamily::tokenization,
     .change = "No BOS is put in front, although the file asks for it (tokenizer.ggml.add_bos_token, or its "
               "tokenizer's "
               "default).",
     .affects = "llama, mistral, gemma, llama 3",
     .symptom = "gemma talks gibberish, others slightly worse: the first token is where attention rests",
     .mend = "Prepend tokenizer.ggml.bos_token_id.",
     .source = "github.com/ggml-org/llama.cpp/pull/4040",
     .injection = TokensFault{.touches = adds_bos, .change = no_bos}},
    {.id = "bos-unasked",
     .family = FaultFamily::tokenization,
     .change = "A BOS is put in front, although the file says not to.",
     .affects = "qwen, gpt2, phi and others whose BOS was never in front of a text in training",
     .symptom = "first words odd, quality slightly down",
     .mend = "Heed tokenizer.ggml.add_bos_token = false.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = has_unasked_bos, .change = unasked_bos}},
    {.id = "bos-twice",
     .family = FaultFamily::tokenization,
     .change = "BOS comes twice: from the template or caller, and from the tokenizer.",
     .affects = "llama 3, gemma, mistral",
     .symptom = "mild to strong loss of quality",
     .mend = "Tokenize a rendered template without adding BOS, or drop one when there are two.",
     .source = "github.com/abetlen/llama-cpp-python/issues/1501",
     .injection = TokensFault{.touches = has_bos, .edit = repeat_bos}},
    {.id = "bos-as-text",
     .family = FaultFamily::tokenization,
     .change = "BOS is put in front as its text and encoded as ordinary characters; it is one id.",
     .affects = "every vocabulary with a BOS",
     .symptom = "the model sees \"<s>\" typed; slightly worse, or copies it",
     .mend = "Prepend the id, not the text.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = has_bos, .rewrite = bos_spelled_out, .change = no_bos}},
    {.id = "eos-for-bos",
     .family = FaultFamily::tokenization,
     .change = "The text begins with EOS where BOS belongs: their ids are exchanged.",
     .affects = "vocabularies whose BOS and EOS differ",
     .symptom = "first words unrelated",
     .mend = "Read tokenizer.ggml.bos_token_id.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = has_bos_and_other_eos, .edit = eos_for_bos}},
    {.id = "eos-appended",
     .family = FaultFamily::tokenization,
     .change = "EOS is appended to the prompt, which the file does not ask for.",
     .affects = "llama and every other generating model",
     .symptom = "the model begins a new document: an unrelated answer",
     .mend = "Encode prompts without EOS.",
     .source = "github.com/JunSuzukiJapan/rustorch, claudedocs/TOKENIZATION_FIX_20251011.md",
     .injection = TokensFault{.touches = has_unasked_eos, .edit = append_eos}},
    {.id = "eos-missing",
     .family = FaultFamily::tokenization,
     .change = "The token that ends a text is not appended, although the file asks for it.",
     .affects = "embedding models: WordPiece's [SEP], add_eos_token",
     .symptom = "embeddings slightly off",
     .mend = "Append tokenizer.ggml.seperator_token_id, or EOS where add_eos_token is true.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = adds_eos, .change = no_eos}},
    {.id = "space-prefix-missing",
     .family = FaultFamily::tokenization,
     .change = "No space goes before the text and after special tokens; SentencePiece's add_dummy_prefix is "
               "on here.",
     .affects = "llama, mistral (tokenizer.ggml.add_space_prefix)",
     .symptom = "the first word is taken for the end of another one",
     .mend = "Encode \" \" + text.",
     .source = "github.com/JunSuzukiJapan/rustorch, claudedocs/TOKENIZATION_FIX_20251011.md",
     .injection = TokensFault{.touches = adds_space, .change = no_space}},
    {.id = "space-prefix-only-first",
     .family = FaultFamily::tokenization,
     .change =
         "The space prefix goes before the prompt only; this vocabulary has it after each special token too.",
     .affects = "llama, mistral: text after a control token",
     .symptom = "plain text is right, chat turns begin with another token",
     .mend = "Encode each stretch between special tokens as a text of its own.",
     .source = "github.com/ggml-org/llama.cpp/issues/7390",
     .injection = TokensFault{.touches = adds_space, .rewrite = space_before_first, .change = no_space}},
    {.id = "space-prefix-unasked",
     .family = FaultFamily::tokenization,
     .change = "A space is put before the text; this vocabulary has no space prefix.",
     .affects = "gpt2-type vocabularies, gemma (add_space_prefix = false)",
     .symptom = "the first word is another token",
     .mend = "Heed tokenizer.ggml.add_space_prefix; byte-level BPE has none.",
     .source = "github.com/ggml-org/llama.cpp/commit/a6fc554e2",
     .injection = TokensFault{.touches = adds_no_space, .rewrite = space_before_all}},
    {.id = "space-prefix-merged",
     .family = FaultFamily::tokenization,
     .change = "No prefix is added to a text that begins with a space; SentencePiece adds one all the same.",
     .affects = "llama, mistral: texts that begin with a space",
     .symptom = "such texts begin with another token",
     .mend = "Add the prefix whatever the text begins with.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = adds_space, .rewrite = no_second_space}},
    {.id = "special-as-text",
     .family = FaultFamily::tokenization,
     .change = "Control tokens of the prompt are encoded as the characters of their names; each is one id.",
     .affects = "every chat template",
     .symptom = "the model does not see turns, and writes <|im_end|> or </s> as text",
     .mend = "Cut the prompt at special tokens before encoding (parse_special).",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = has_control, .rewrite = control_as_text}},
    {.id = "special-in-user-text",
     .family = FaultFamily::tokenization,
     .change = "Control tokens that a user typed become control tokens; only the template's own may.",
     .affects = "every chat template: a prompt injection",
     .symptom = "a message that holds <|im_end|> ends its turn",
     .mend = "Parse special tokens in the template's text only.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = has_control, .rewrite = control_in_user_text}},
    {.id = "added-tokens-as-text",
     .family = FaultFamily::tokenization,
     .change = "User-defined tokens are not looked for in the text; each is one id wherever it stands.",
     .affects = "vocabularies with tokens of type 4: tool marks, runs of spaces, <start_of_turn>",
     .symptom = "tool calls and templates that use such tokens fail",
     .mend = "Cut the text at tokens of tokenizer.ggml.token_type 4 before encoding.",
     .source = kFromTheFormat,
     .injection = TokensFault{.touches = has_user_defined, .change = user_defined_as_normal}},
    {.id = "special-strips-nothing",
     .family = FaultFamily::tokenization,
     .change = "White space beside special tokens is kept; this vocabulary's strip it (rstrip or lstrip).",
     .affects = "phi-3, and <mask> of some encoders",
     .symptom = "one newline too many after each role",
     .mend = "Strip where the added token says so.",
     .source = "github.com/ggml-org/llama.cpp/commit/d7e852c1b",
     .injection = TokensFault{.touches = has_stripping, .change = strip_nothing}},
    {.id = "special-strips-all",
     .family = FaultFamily::tokenization,
     .change =
         "White space beside every special token is stripped; the template's newlines belong to the prompt.",
     .affects = "chat templates",
     .symptom = "the newline after a role vanishes",
     .mend = "Strip only where the added token says so.",
     .source = "github.com/ggml-org/llama.cpp/commit/d7e852c1b",
     .injection = TokensFault{.touches = has_control, .change = strip_around_all}},
    {.id = "context-head-lost",
     .family = FaultFamily::tokenization,
     .change = "The prompt is longer than the engine's context, and its beginning is cut off without a word.",
     .affects = "long prompts: default contexts of 2048 or 4096",
     .symptom = "forgets instructions; short prompts are right",
     .mend = "Raise the context (num_ctx, -c), or refuse prompts that do not fit.",
     .source = "github.com/ollama/ollama/issues/5042",
     .injection = TokensFault{.edit = keep_tail, .cuts_to_context = true}},
    {.id = "context-middle-lost",
     .family = FaultFamily::tokenization,
     .change = "The prompt is longer than the engine's context: BOS and its end are kept, what lies between "
               "is cut.",
     .affects = "long prompts, vocabularies with BOS",
     .symptom = "forgets instructions; short prompts are right",
     .mend = "Raise the context (num_ctx, -c), or refuse prompts that do not fit.",
     .source = "github.com/ollama/ollama/issues/6648",
     .injection = TokensFault{.touches = has_bos, .edit = keep_bos_and_tail, .cuts_to_context = true}},
    {.id = "context-tail-lost",
     .family = FaultFamily::tokenization,
     .change = "The prompt is longer than the engine's context, and its end is cut off without a word.",
     .affects = "long prompts",
     .symptom = "answers something earlier; the question was never seen",
     .mend = "Raise the context, or refuse prompts that do not fit.",
     .source = kFromTheFormat,
     .injection = TokensFault{.edit = keep_head, .cuts_to_context = true}},
};

}  // namespace

extern const std::span<const Fault> faults_tokens_special;
const std::span<const Fault> faults_tokens_special = kFaults;

}  // namespace assay
