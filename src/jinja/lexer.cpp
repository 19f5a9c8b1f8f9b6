#include "jinja/lexer.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "jinja/number.h"
#include "jinja/template_error.h"
#include "jinja/unicode.h"

namespace assay::jinja {
namespace {

// Two characters before one, so that the first match is the longest.
constexpr std::array<std::string_view, 26> kOperators = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                                         "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                         ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};

bool is_digit_char(char c) {
  return c >= '0' && c <= '9';
}

int hex_value(char c) {
  if (is_digit_char(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class Lexer {
 public:
  explicit Lexer(const std::string& source) : source_(source) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) read_data_and_tag();
    tokens_.push_back({Token::Kind::end, source_.size(), source_.size()});
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void error(size_t offset, const std::string& problem) const {
    throw error_at(source_, offset, offset, {ErrorKind::syntax, problem});
  }
  bool starts_with(size_t offset, std::string_view what) const {
    return source_.compare(offset, what.size(), what) == 0;
  }
  char peek(size_t offset) const { return offset < source_.size() ? source_[offset] : '\0'; }
  size_t skip_space(size_t offset) const {
    while (offset < source_.size()) {
      const CodePoint c = code_point_at(source_, offset);
      if (!is_space(c.value)) break;
      offset = c.end;
    }
    return offset;
  }

  /// Start of the white space that ends source_[begin, end).
  size_t rstrip(size_t begin, size_t end) const {
    size_t kept = begin;
    for (size_t i = begin; i < end;) {
      const CodePoint c = code_point_at(source_, i);
      if (!is_space(c.value)) kept = c.end;
      i = c.end;
    }
    return kept;
  }

  /// End of the data in [begin, tag) once white space before the tag is stripped as its sign (`-`, `+` or
  /// another character for none) and lstrip_blocks say.
  size_t stripped_end(size_t begin, size_t tag, char sign, bool is_print) const {
    if (sign == '-') return rstrip(begin, tag);
    if (sign == '+' || is_print) return tag;
    const size_t newline = tag == begin ? std::string::npos : source_.rfind('\n', tag - 1);
    const bool has_newline = newline != std::string::npos && newline >= begin;
    const size_t line = has_newline ? newline + 1 : begin;
    if (!has_newline && !line_starting_) return tag;
    return rstrip(line, tag) == line ? line : tag;
  }

  void add_data(size_t begin, size_t end) {
    if (begin < end) tokens_.push_back({Token::Kind::data, begin, end, source_.substr(begin, end - begin)});
  }

  /// `{{`, `{%` or `{#` at or after `offset`; npos when there is none.
  size_t find_tag(size_t offset) const {
    for (size_t i = source_.find('{', offset); i != std::string::npos; i = source_.find('{', i + 1)) {
      const char next = peek(i + 1);
      if (next == '{' || next == '%' || next == '#') return i;
    }
    return std::string::npos;
  }

  void read_data_and_tag() {
    const size_t tag = find_tag(at_);
    if (tag == std::string::npos) {
      add_data(at_, source_.size());
      at_ = source_.size();
      return;
    }
    const char type = source_[tag + 1];
    const char sign = peek(tag + 2);
    add_data(at_, stripped_end(at_, tag, sign, type == '{'));
    const size_t inside = tag + 2 + (sign == '-' || sign == '+' ? 1 : 0);
    if (type == '#')
      read_comment(tag, inside);
    else if (type == '%' && !read_raw(tag, inside))
      read_code(tag, inside, Token::Kind::block_begin, Token::Kind::block_end);
    else if (type == '{')
      read_code(tag, inside, Token::Kind::print_begin, Token::Kind::print_end);
  }

  /// If `close` (such as `%}`), with its optional sign, is at `offset`: moves past it and the white space it
  /// eats.
  bool read_close(size_t offset, std::string_view close, bool trims_newline) {
    const char sign = peek(offset);
    if (sign == '-' && starts_with(offset + 1, close)) {
      at_ = skip_space(offset + 1 + close.size());
    } else if (sign == '+' && trims_newline && starts_with(offset + 1, close)) {
      at_ = offset + 1 + close.size();
    } else if (starts_with(offset, close)) {
      at_ = offset + close.size();
      if (trims_newline && peek(at_) == '\n') ++at_;
    } else {
      return false;
    }
    line_starting_ = source_[at_ - 1] == '\n';
    return true;
  }

  /// Jinja2 forgives a comment or raw directive that is not closed when nothing follows its opening.
  bool ends_empty(size_t body) {
    at_ = source_.size();
    return body == at_;
  }

  void read_comment(size_t tag, size_t inside) {
    for (size_t i = inside; i < source_.size(); ++i)
      if (read_close(i, "#}", true)) return;
    if (ends_empty(inside)) return;
    error(tag, "missing end of comment tag");
  }

  /// Reads a whole `{% raw %}` ... `{% endraw %}` whose tag body starts at `inside`; false when it is another
  /// tag.
  bool read_raw(size_t tag, size_t inside) {
    const size_t name = skip_space(inside);
    if (!starts_with(name, "raw")) return false;
    const size_t close = skip_space(name + 3);
    if (!read_close(close, "%}", false)) return false;
    const size_t body = at_;
    for (size_t i = source_.find("{%", body); i != std::string::npos; i = source_.find("{%", i + 1)) {
      const char sign = peek(i + 2);
      const size_t word = skip_space(i + 2 + (sign == '-' || sign == '+' ? 1 : 0));
      if (!starts_with(word, "endraw")) continue;
      const size_t data_end = stripped_end(body, i, sign, false);
      if (!read_close(skip_space(word + 6), "%}", true)) continue;
      add_data(body, data_end);
      return true;
    }
    if (ends_empty(body)) return true;
    error(tag, "missing end of raw directive");
  }

  void read_code(size_t tag, size_t inside, Token::Kind open, Token::Kind close) {
    tokens_.push_back({open, tag, inside});
    const bool is_block = open == Token::Kind::block_begin;
    std::string brackets;  // closing brackets that are due
    at_ = inside;
    while (true) {
      at_ = skip_space(at_);
      if (at_ >= source_.size()) return;  // the parser reports what is missing
      const size_t begin = at_;
      if (brackets.empty() && read_close(at_, is_block ? "%}" : "}}", is_block)) {
        tokens_.push_back({close, begin, at_});
        return;
      }
      read_token(brackets);
    }
  }

  void read_token(std::string& brackets) {
    const char c = source_[at_];
    if (is_digit_char(c)) return read_number();
    if (c == '\'' || c == '"') return read_string();
    if (is_name_start(code_point_at(source_, at_).value)) return read_name();
    for (const std::string_view op : kOperators) {
      if (!starts_with(at_, op)) continue;
      balance(op[0], brackets);
      tokens_.push_back({Token::Kind::op, at_, at_ + op.size(), std::string(op)});
      at_ += op.size();
      return;
    }
    error(at_, "unexpected character");
  }

  void balance(char op, std::string& brackets) const {
    if (op == '(') brackets += ')';
    if (op == '[') brackets += ']';
    if (op == '{') brackets += '}';
    if (op != ')' && op != ']' && op != '}') return;
    if (brackets.empty()) error(at_, std::string("unexpected '") + op + "'");
    if (brackets.back() != op)
      error(at_, std::string("unexpected '") + op + "', expected '" + brackets.back() + "'");
    brackets.pop_back();
  }

  void read_name() {
    const size_t begin = at_;
    while (at_ < source_.size()) {
      const CodePoint c = code_point_at(source_, at_);
      if (!is_name_part(c.value)) break;
      at_ = c.end;
    }
    tokens_.push_back({Token::Kind::name, begin, at_, source_.substr(begin, at_ - begin)});
  }

  /// End of `digits(_digits)*` at `offset`; `offset` when there is no digit.
  size_t skip_digits(size_t offset) const {
    while (is_digit_char(peek(offset)) ||
           (peek(offset) == '_' && offset > 0 && is_digit_char(source_[offset - 1]) &&
            is_digit_char(peek(offset + 1))))
      ++offset;
    return offset;
  }

  /// End of the float at at_; at_ when what is there is none.
  size_t float_end() const {
    if (at_ > 0 && source_[at_ - 1] == '.') return at_;
    const size_t whole = skip_digits(at_);
    size_t end = whole;
    if (peek(whole) == '.' && is_digit_char(peek(whole + 1))) end = skip_digits(whole + 1);
    if (peek(end) == 'e' || peek(end) == 'E') {
      const size_t digits = end + 1 + (peek(end + 1) == '+' || peek(end + 1) == '-' ? 1 : 0);
      if (is_digit_char(peek(digits))) end = skip_digits(digits);
    }
    return end == whole ? at_ : end;
  }

  size_t integer_end() const {
    const char marker = char(peek(at_ + 1) | 0x20);  // lower case
    const int base = marker == 'x' ? 16 : marker == 'o' ? 8 : marker == 'b' ? 2 : 0;
    const auto is_digit_of = [&](size_t i) { return hex_value(peek(i)) >= 0 && hex_value(peek(i)) < base; };
    if (source_[at_] == '0' && base != 0) {
      size_t i = at_ + 2;
      while (is_digit_of(i) || (peek(i) == '_' && is_digit_of(i + 1))) ++i;
      if (i > at_ + 2) return i;
    }
    if (source_[at_] != '0') return skip_digits(at_);
    size_t i = at_ + 1;  // leading zeros of another number are a number of their own
    while (peek(i) == '0' || (peek(i) == '_' && peek(i + 1) == '0')) ++i;
    return i;
  }

  void read_number() {
    const size_t begin = at_;
    Token token{Token::Kind::number, begin, float_end()};
    const bool is_float = token.end > begin;
    if (!is_float) token.end = integer_end();
    std::string digits = source_.substr(begin, token.end - begin);
    digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
    if (is_float) {
      token.number = std::strtod(digits.c_str(), nullptr);
    } else {
      token.kind = Token::Kind::integer;
      try {
        token.integer = parse_integer(digits, 0).value_or(0);
      } catch (const Fault& fault) {
        throw error_at(source_, begin, token.end, fault);
      }
    }
    at_ = token.end;
    tokens_.push_back(std::move(token));
  }

  void read_string() {
    const size_t begin = at_;
    const char quote = source_[at_++];
    std::string text;
    while (true) {
      if (at_ >= source_.size()) error(begin, "string without its closing quote");
      const char c = source_[at_++];
      if (c == quote) break;
      if (c == '\\')
        read_escape(text);
      else
        text += c;
    }
    tokens_.push_back({Token::Kind::string, begin, at_, std::move(text)});
  }

  /// Decodes the escape after a backslash as Python's string literals do; an unknown one stays as it is.
  void read_escape(std::string& text) {
    if (at_ >= source_.size()) return;
    const size_t start = at_ - 1;
    const char c = source_[at_++];
    constexpr std::string_view kNames = "abfnrtv\\'\"";
    constexpr std::string_view kValues = "\a\b\f\n\r\t\v\\'\"";
    if (const size_t i = kNames.find(c); i != std::string_view::npos)
      text += kValues[i];
    else if (c == '\n')
      return;
    else if (c >= '0' && c <= '7')
      append_utf8(text, read_octal());
    else if (c == 'x' || c == 'u' || c == 'U')
      append_utf8(text, read_hex(start, c == 'x' ? 2 : c == 'u' ? 4 : 8));
    else if (c == 'N')
      error(start, "\\N{...} escapes are not supported");
    else
      text.append({'\\', c});
  }

  char32_t read_octal() {
    char32_t value = char32_t(source_[at_ - 1] - '0');
    for (int i = 0; i < 2 && peek(at_) >= '0' && peek(at_) <= '7'; ++i)
      value = value * 8 + char32_t(source_[at_++] - '0');
    return value;
  }

  char32_t read_hex(size_t start, int n_digits) {
    char32_t value = 0;
    for (int i = 0; i < n_digits; ++i) {
      const int digit = hex_value(peek(at_));
      if (digit < 0) error(start, "truncated escape in a string");
      value = value * 16 + char32_t(digit);
      ++at_;
    }
    if (value >= 0xD800 && value < 0xDC00 && n_digits == 4 && starts_with(at_, "\\u")) {
      at_ += 2;
      const char32_t low = read_hex(start, 4);
      if (low >= 0xDC00 && low < 0xE000) return 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
      error(start, "escape is not a Unicode character");
    return value;
  }

  const std::string& source_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  bool line_starting_ = true;  // what stands before at_ ends a line
};

}  // namespace

std::string describe(const Token& token) {
  switch (token.kind) {
    case Token::Kind::data:
      return "template text";
    case Token::Kind::print_begin:
      return "begin of print statement";
    case Token::Kind::print_end:
      return "end of print statement";
    case Token::Kind::block_begin:
      return "begin of statement block";
    case Token::Kind::block_end:
      return "end of statement block";
    case Token::Kind::name:
    case Token::Kind::op:
      return "'" + token.text + "'";
    case Token::Kind::string:
      return "string";
    case Token::Kind::integer:
      return "integer";
    case Token::Kind::number:
      return "float";
    case Token::Kind::end:
      return "end of template";
  }
  return "";
}

std::string normalized_source(const std::string& source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

std::vector<Token> tokenize(const std::string& source, const Limits& limits) {
  if (source.size() > limits.source_bytes)
    throw error_at(
        source, 0, 0,
        {ErrorKind::limit, "template is longer than " + std::to_string(limits.source_bytes) + " bytes"});
  if (!is_valid_utf8(source))
    throw error_at(source, 0, 0, {ErrorKind::syntax, "template is not valid UTF-8"});
  return Lexer(source).run();
}

}  // namespace assay::jinja
