#include "tokenizer/vocabulary.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay {
namespace {

Place element(const Metadata& metadata, std::string_view key, size_t i) {
  Place place = metadata.place(key);
  place.item += "[" + std::to_string(i) + "]";
  return place;
}

void read_kind(Vocabulary& v, const Metadata& metadata) {
  constexpr std::string_view kModel = "tokenizer.ggml.model";
  const std::string_view model = metadata.need_string(kModel);
  if (model == "llama") {
    v.kind = TokenizerKind::sentencepiece;
    v.special = {.bos = 1, .eos = 2, .unk = 0};
    v.add_bos = v.add_space_prefix = v.raw_text = true;
  } else if (model == "bert") {
    v.kind = TokenizerKind::wordpiece;
    v.special = {.bos = 101, .unk = 100, .sep = 102, .pad = 0, .mask = 103};
    v.add_bos = v.add_eos = v.clean_spaces = v.raw_text = true;
  } else if (model == "gpt2" || model == "gemma4") {
    v.kind = TokenizerKind::bpe;
    if (model == "gpt2") v.special = {.bos = 11, .eos = 11};
    const std::string_view pre =
        model == "gemma4" ? model : metadata.find_string("tokenizer.ggml.pre").value_or(std::string_view());
    v.pretokenizer = find_pretokenizer(pre);
    if (!v.pretokenizer) {
      v.pretokenizer = &pretokenizers().front();
      v.warnings.push_back(
          (pre.empty() ? std::string("tokenizer.ggml.pre is missing")
                       : "the pre-tokenizer '" + printable(pre) + "' (tokenizer.ggml.pre) is not known") +
          ": splitting text by the rules of 'default' instead. TOKENS MAY BE WRONG and answers worse than "
          "the model's.");
    }
    v.add_bos = v.pretokenizer->add_bos;
    v.clean_spaces = v.pretokenizer->clean_spaces;
    v.raw_text = v.pretokenizer->raw_text;
    if (v.pretokenizer->no_default_bos) v.special.bos = kNoToken;
  } else {
    throw Unsupported(metadata.place(kModel),
                      "the tokenizer '" + printable(model) + "' (known: llama, gpt2, gemma4, bert)");
  }
}

void read_texts(Vocabulary& v, const Metadata& metadata) {
  constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
  const auto texts = metadata.find_strings(kTokens);
  if (!texts) throw Missing(metadata.place(kTokens), "is not in the file");
  if (texts->empty()) throw BadValue(metadata.place(kTokens), "the vocabulary is empty");
  if (texts->size() > size_t{std::numeric_limits<int32_t>::max()})
    throw BadValue(metadata.place(kTokens), "more tokens than ids");

  // Copied, so that a tokenizer outlives its file. An empty text gets the name that llama.cpp gives it.
  std::vector<size_t> ends;
  ends.reserve(texts->size());
  for (size_t i = 0; i < texts->size(); ++i) {
    const std::string stand_in = "[EMPTY_" + std::to_string(i) + "]";
    const std::string_view text = (*texts)[i].empty() ? std::string_view(stand_in) : (*texts)[i];
    v.text_storage.insert(v.text_storage.end(), text.begin(), text.end());
    ends.push_back(v.text_storage.size());
  }
  v.tokens.resize(texts->size());
  v.ids.reserve(texts->size());
  size_t begin = 0;
  for (size_t i = 0; i < ends.size(); begin = ends[i++]) {
    const std::string_view text(v.text_storage.data() + begin, ends[i] - begin);
    v.tokens[i].text = text;
    v.max_token_bytes = std::max(v.max_token_bytes, text.size());
    const int32_t id = v.ids.add(text, static_cast<int32_t>(i));
    if (id != static_cast<int32_t>(i))
      throw BadValue(element(metadata, kTokens, i),
                     "'" + printable(text) + "' is also token " + std::to_string(id));
  }
}

void read_scores(Vocabulary& v, const Metadata& metadata) {
  constexpr std::string_view kScores = "tokenizer.ggml.scores";
  const Array* stored = metadata.find_array(kScores);
  if (!stored) return;
  std::vector<float> scores;
  if (stored->element_type == uint32_t(GgufType::i32)) {
    const auto integers = metadata.find_ints(kScores);
    scores.assign(integers->begin(), integers->end());
  } else {
    scores = *metadata.find_floats(kScores);
  }
  if (scores.size() != v.tokens.size())
    throw BadValue(metadata.place(kScores), std::to_string(scores.size()) + " scores for " +
                                                std::to_string(v.tokens.size()) + " tokens");
  for (size_t i = 0; i < scores.size(); ++i) {
    if (std::isnan(scores[i])) throw BadValue(element(metadata, kScores, i), "the score is NaN");
    v.tokens[i].score = scores[i];
  }
}

void read_types(Vocabulary& v, const Metadata& metadata) {
  constexpr std::string_view kTypes = "tokenizer.ggml.token_type";
  const auto types = metadata.find_ints(kTypes);
  if (!types) return;
  if (types->size() != v.tokens.size())
    throw BadValue(metadata.place(kTypes), std::to_string(types->size()) + " types for " +
                                               std::to_string(v.tokens.size()) + " tokens");
  constexpr uint8_t kFlags[] = {0, kNormal, kUnknown, kControl, kUserDefined, kUnused, kByte};
  for (size_t i = 0; i < types->size(); ++i) {
    const int64_t type = (*types)[i];
    if (type < 0 || type >= int64_t(std::size(kFlags)))
      throw BadValue(element(metadata, kTypes, i), std::to_string(type) + " is not a token type");
    if (kFlags[type] == kByte &&
        (v.kind == TokenizerKind::wordpiece || parse_byte_token(v.tokens[i].text) < 0))
      throw BadValue(element(metadata, kTypes, i),
                     "'" + printable(v.tokens[i].text) + "' is marked as a byte token and is not <0xNN>");
    v.tokens[i].flags = kFlags[type];
  }
}

void read_rules(Vocabulary& v, const Metadata& metadata) {
  const auto read = [&](const char* key, bool& rule) { rule = metadata.find_bool(key).value_or(rule); };
  read("tokenizer.ggml.add_space_prefix", v.add_space_prefix);
  if (v.kind == TokenizerKind::wordpiece) {  // always adds [CLS] and [SEP]
    read("tokenizer.ggml.normalizer.lowercase", v.lowercase);
    v.strip_accents = v.lowercase;
    read("tokenizer.ggml.normalizer.strip_accents", v.strip_accents);
  } else {
    read("tokenizer.ggml.add_bos_token", v.add_bos);
    read("tokenizer.ggml.add_eos_token", v.add_eos);
  }
  if (v.kind == TokenizerKind::bpe && v.pretokenizer->force_bos && !v.add_bos) {
    v.add_bos = true;
    v.warnings.push_back(
        "BOS is added although tokenizer.ggml.add_bos_token does not ask for it: this vocabulary needs it.");
  }
}

void check_rules(const Vocabulary& v, const Metadata& metadata) {
  const auto check = [&](bool added, int32_t id, const char* rule, const char* id_key) {
    if (added && id == kNoToken)
      throw BadValue(metadata.place(metadata.contains(rule) ? rule : "tokenizer.ggml.model"),
                     std::string("text gets a token added (") + rule + ") that " + id_key + " does not name");
  };
  const bool wordpiece = v.kind == TokenizerKind::wordpiece;
  check(v.add_bos, v.special.bos, "tokenizer.ggml.add_bos_token", "tokenizer.ggml.bos_token_id");
  check(v.add_eos && !wordpiece, v.special.eos, "tokenizer.ggml.add_eos_token",
        "tokenizer.ggml.eos_token_id");
  check(wordpiece, v.special.sep, "tokenizer.ggml.add_sep_token", "tokenizer.ggml.seperator_token_id");
  check(wordpiece, v.special.unk, "tokenizer.ggml.unknown_token", "tokenizer.ggml.unknown_token_id");
}

}  // namespace

int parse_byte_token(std::string_view text) noexcept {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return -1;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
  };
  const int high = digit(text[3]), low = digit(text[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

int32_t Vocabulary::byte_token(uint8_t byte) const {
  constexpr char kHex[] = "0123456789ABCDEF";
  const char text[] = {'<', '0', 'x', kHex[byte >> 4], kHex[byte & 15], '>'};
  const int32_t id = find({text, sizeof text});
  if (id != kNoToken) return id;
  const char plain = static_cast<char>(byte);
  return find({&plain, 1});
}

Vocabulary parse_vocabulary(const Metadata& metadata) {
  Vocabulary v;
  read_kind(v, metadata);
  read_texts(v, metadata);
  read_scores(v, metadata);
  read_types(v, metadata);
  read_rules(v, metadata);
  assign_special_tokens(v, metadata);
  check_rules(v, metadata);
  return v;
}

}  // namespace assay
