// Template source -> tokens, by the rules of Jinja2 with trim_blocks and lstrip_blocks on.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/limits.h"

namespace assay::jinja {

struct Token {
  enum class Kind {
    data,
    print_begin,
    print_end,
    block_begin,
    block_end,
    name,
    string,
    integer,
    number,
    op,
    end
  };
  Kind kind;
  size_t begin, end;    // bytes of the source
  std::string text{};   // data, name, string: its text (escapes decoded); op: the operator
  int64_t integer = 0;  // integer
  double number = 0;    // number

  bool is_op(std::string_view op) const { return kind == Kind::op && text == op; }
  bool is_name(std::string_view name) const { return kind == Kind::name && text == name; }
};

/// As the message of a syntax error names it: `'endif'`, `'end of print statement'`.
std::string describe(const Token& token);

/// `source` with line ends as \n and without its last one, as Jinja2 reads it. Offsets of tokens refer to
/// this text.
std::string normalized_source(const std::string& source);

/// Tokens of a normalized source; the last is of kind end. Throws TemplateError (syntax, limit).
std::vector<Token> tokenize(const std::string& source, const Limits& limits);

}  // namespace assay::jinja
