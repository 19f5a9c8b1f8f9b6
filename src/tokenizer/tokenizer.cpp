#include "tokenizer/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>

#include "tokenizer/bpe.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/sentencepiece.h"
#include "tokenizer/utf8.h"
#include "tokenizer/wordpiece.h"

namespace assay {
namespace {

/// The bytes of an ordinary token of byte-level BPE. A character outside of the alphabet stands for no byte;
/// llama.cpp writes a note in its place, and so do we.
std::string from_byte_alphabet(std::string_view text) {
  std::string bytes;
  for (size_t offset = 0; offset < text.size();) {
    const char32_t code_point = next_code_point(text, offset);
    const int byte = byte_of_character(code_point);
    if (byte >= 0) {
      bytes += static_cast<char>(byte);
      continue;
    }
    std::string character;
    append_utf8(character, code_point);
    bytes += "[UNK_BYTE_0x";
    for (const char c : character) bytes += fmt::format("{:02x}", static_cast<unsigned char>(c));
    bytes.append(text).append("]");
  }
  return bytes;
}

void append_piece(const Vocabulary& v, const Token& token, std::string& out) {
  if (token.flags & (kControl | kUnknown | kUserDefined)) {
    out += token.text;
  } else if (token.flags & kNormal) {
    if (!v.raw_text) {
      out += from_byte_alphabet(token.text);
      return;
    }
    std::string_view rest = token.text;
    while (!rest.empty()) {
      const size_t found = std::min(rest.find(kSpaceMark), rest.size());
      out += rest.substr(0, found);
      if (found < rest.size()) out += ' ';
      rest.remove_prefix(std::min(found + kSpaceMark.size(), rest.size()));
    }
  } else if (token.flags & kByte) {
    out += static_cast<char>(parse_byte_token(token.text));
  }  // undefined and unused tokens stand for nothing
}

/// llama_detokenize's three passes over the text, which undo how some tokenizers put spaces around
/// punctuation.
std::string clean_spaces(const std::string& text) {
  std::string no_space_before, no_lone_apostrophe, joined;
  const auto drop_space = [](std::string& s) { s.pop_back(); };
  for (size_t i = 0; i < text.size(); ++i) {  // " ?" " !" " ." " ,"
    const bool stop = text[i] == '?' || text[i] == '!' || text[i] == '.' || text[i] == ',';
    if (stop && i > 0 && text[i - 1] == ' ') drop_space(no_space_before);
    no_space_before += text[i];
  }
  for (size_t i = 0; i < no_space_before.size(); ++i) {  // " ' " -> "'"
    std::string& s = no_space_before;
    const bool lone = s[i] == '\'' && i > 0 && i + 1 < s.size() && s[i - 1] == ' ' && s[i + 1] == ' ';
    if (lone) drop_space(no_lone_apostrophe);
    no_lone_apostrophe += s[i];
    if (lone) s[++i] = '\0';  // gone, and no space to an apostrophe that follows
  }
  for (size_t i = 0; i < no_lone_apostrophe.size(); ++i) {  // " 's" " 'm" " 're" " 've"
    const std::string_view rest = std::string_view(no_lone_apostrophe).substr(i, 3);
    const bool suffix = rest.starts_with("'s") || rest.starts_with("'m") || rest == "'re" || rest == "'ve";
    if (suffix && i > 0 && no_lone_apostrophe[i - 1] == ' ') drop_space(joined);
    joined += no_lone_apostrophe[i];
  }
  return joined;
}

}  // namespace

Tokenizer::Tokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)), splitter_(vocabulary_) {
  piece_begin_.reserve(vocabulary_.tokens.size() + 1);
  for (const Token& token : vocabulary_.tokens) {
    piece_begin_.push_back(pieces_.size());
    append_piece(vocabulary_, token, pieces_);
  }
  piece_begin_.push_back(pieces_.size());
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  const Segment segment{text, options.parse_special};
  return encode_segments({&segment, 1}, options);
}

std::vector<int32_t> Tokenizer::encode_segments(std::span<const Segment> segments,
                                                const EncodeOptions& options) const {
  size_t n_bytes = 0;
  for (const Segment& segment : segments) {
    if (segment.text.size() > kMaxTextBytes - n_bytes)
      throw UsageError(fmt::format("the text is longer than {} bytes", kMaxTextBytes));
    n_bytes += segment.text.size();
  }
  std::string joined;
  std::vector<ByteRange> parse_special;
  size_t begin = 0;
  for (const Segment& segment : segments) {
    if (segments.size() > 1) joined += segment.text;
    const size_t end = begin + segment.text.size();
    if (segment.parse_special && begin < end) {
      if (!parse_special.empty() && parse_special.back().end == begin)
        parse_special.back().end = end;
      else
        parse_special.push_back({begin, end});
    }
    begin = end;
  }
  const std::string_view text = segments.size() == 1 ? segments[0].text : std::string_view(joined);
  if (const size_t bad = find_invalid_utf8(text); bad != std::string_view::npos)
    throw UsageError(fmt::format("the text is not valid UTF-8: byte {} (0x{:02x})", bad,
                                 static_cast<unsigned char>(text[bad])));

  std::vector<int32_t> ids;
  if (options.add_bos.value_or(vocabulary_.add_bos) && vocabulary_.special.bos != kNoToken)
    ids.push_back(vocabulary_.special.bos);
  bool after_special = true;
  for (const Fragment& fragment : splitter_.split(text, parse_special)) {
    after_special = after_special || fragment.id != kNoToken;
    if (fragment.id != kNoToken) {
      ids.push_back(fragment.id);
    } else {
      encode_text(fragment.text, after_special, ids);
      after_special = false;
    }
  }
  const int32_t last =
      vocabulary_.kind == TokenizerKind::wordpiece ? vocabulary_.special.sep : vocabulary_.special.eos;
  if (options.add_eos.value_or(vocabulary_.add_eos) && last != kNoToken) ids.push_back(last);
  return ids;
}

std::string_view Tokenizer::piece(int32_t id) const {
  if (id < 0 || id >= vocabulary_.n_tokens())
    throw UsageError(fmt::format("{} is not a token id: the vocabulary has {}", id, vocabulary_.n_tokens()));
  const auto i = static_cast<size_t>(id);
  return std::string_view(pieces_).substr(piece_begin_[i], piece_begin_[i + 1] - piece_begin_[i]);
}

std::string Tokenizer::decode(std::span<const int32_t> ids, const DecodeOptions& options) const {
  bool drop_space = vocabulary_.add_space_prefix;
  if (options.drop_bos_eos) {
    if (vocabulary_.add_bos && !ids.empty() && ids.front() == vocabulary_.special.bos) {
      ids = ids.subspan(1);
      drop_space = false;  // llama_detokenize keeps the space after a BOS
    }
    if (vocabulary_.add_eos && !ids.empty() && ids.back() == vocabulary_.special.eos)
      ids = ids.first(ids.size() - 1);
  }
  std::string text;
  for (const int32_t id : ids) {
    std::string_view bytes = piece(id);
    if (!options.render_special && vocabulary_.has(id, kControl | kUnknown)) bytes = {};
    if (drop_space && bytes.starts_with(' ')) bytes.remove_prefix(1);
    drop_space = false;
    text += bytes;
  }
  return options.clean_spaces && vocabulary_.clean_spaces ? clean_spaces(text) : text;
}

TokenizerTables parse_tokenizer(const Metadata& metadata) {
  TokenizerTables tables{parse_vocabulary(metadata), {}};
  if (tables.vocabulary.kind == TokenizerKind::bpe) tables.merges = parse_merges(tables.vocabulary, metadata);
  return tables;
}

std::unique_ptr<Tokenizer> make_tokenizer(const Metadata& metadata) {
  return make_tokenizer(parse_tokenizer(metadata));
}

std::unique_ptr<Tokenizer> make_tokenizer(TokenizerTables tables) {
  std::unique_ptr<Tokenizer> tokenizer;
  switch (tables.vocabulary.kind) {
    case TokenizerKind::sentencepiece:
      tokenizer = make_sentencepiece(std::move(tables.vocabulary));
      break;
    case TokenizerKind::bpe:
      tokenizer = make_bpe(std::move(tables));
      break;
    case TokenizerKind::wordpiece:
      tokenizer = make_wordpiece(std::move(tables.vocabulary));
      break;
  }
  Vocabulary& v = tokenizer->vocabulary_;
  std::vector<int32_t> newline;
  if (v.kind == TokenizerKind::sentencepiece)
    newline.push_back(v.byte_token('\n'));
  else if (v.kind == TokenizerKind::bpe)
    tokenizer->encode_text("\n", true, newline);
  v.special.newline = newline.empty() || newline[0] == kNoToken ? v.special.pad : newline[0];
  return tokenizer;
}

}  // namespace assay
