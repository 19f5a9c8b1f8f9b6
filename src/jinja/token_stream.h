// The parser's view of the tokens: one current token, one of look-ahead, errors with a place.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/lexer.h"
#include "jinja/template_error.h"

namespace assay::jinja {

class TokenStream {
 public:
  TokenStream(const std::string& source, std::vector<Token> tokens)
      : source_(source), tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& next() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  /// End of the token before the current one: where what was just parsed ends.
  size_t last_end() const { return at_ == 0 ? 0 : tokens_[at_ - 1].end; }

  /// The current token; moves to the next.
  const Token& take() {
    const Token& token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool skip_op(std::string_view op) { return current().is_op(op) && (take(), true); }
  bool skip_name(std::string_view name) { return current().is_name(name) && (take(), true); }
  const Token& expect(Token::Kind kind, std::string_view what) {
    if (current().kind != kind) fail_expected(what);
    return take();
  }
  void expect_op(std::string_view op) {
    if (!skip_op(op)) fail_expected("'" + std::string(op) + "'");
  }
  void expect_name(std::string_view name) {
    if (!skip_name(name)) fail_expected("'" + std::string(name) + "'");
  }

  [[noreturn]] void fail_expected(std::string_view what) const {
    error(current(), "expected " + std::string(what) + ", got " + describe(current()));
  }
  [[noreturn]] void error(const Token& token, const std::string& problem) const {
    error(token.begin, token.end, problem);
  }
  [[noreturn]] void error(size_t begin, size_t end, const std::string& problem,
                          ErrorKind kind = ErrorKind::syntax) const {
    throw error_at(source_, begin, end, {kind, problem});
  }

 private:
  const std::string& source_;
  std::vector<Token> tokens_;  // ends with one of kind end
  size_t at_ = 0;
};

}  // namespace assay::jinja
