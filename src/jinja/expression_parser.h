// Expressions of the grammar.
#pragma once
#include <string>
#include <vector>

#include "jinja/ast.h"
#include "jinja/limits.h"
#include "jinja/token_stream.h"

namespace assay::jinja {

class ExpressionParser {
 public:
  ExpressionParser(TokenStream& tokens, const Limits& limits) : tokens_(tokens), limits_(limits) {}

  /// One expression; without `conditional`, a following `if` is left to the caller.
  ExprPtr expression(bool conditional = true);
  /// One expression, or several separated by commas: a tuple. `stop`: a name that ends the list too.
  ExprPtr tuple(bool conditional = true, std::string_view stop = {});
  /// Filters after their `|`; with `bare_first` the first has no `|` before it.
  std::vector<NamedCall> filter_chain(bool bare_first);

  /// An unknown filter or test in a part that may never run is an error only when it is reached; elsewhere it
  /// is one now.
  bool may_not_run = false;
  /// Names read so far that have a meaning in macros.
  bool saw_caller = false, saw_varargs = false, saw_kwargs = false;

  /// Counts one level of nesting while it lives. Throws TemplateError past the limit.
  class Level {
   public:
    explicit Level(ExpressionParser& parser);
    ~Level() { --parser_.level_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    ExpressionParser& parser_;
  };

 private:
  template <class Node>
  ExprPtr make(size_t begin, size_t depth_below, Node node);
  ExprPtr conditional_tail(ExprPtr value);
  ExprPtr or_expression();
  ExprPtr and_expression();
  ExprPtr not_expression();
  ExprPtr comparison();
  ExprPtr sum();
  ExprPtr concatenation();
  ExprPtr product();
  ExprPtr power();
  ExprPtr unary(bool with_filters);
  ExprPtr primary();
  ExprPtr list_literal();
  ExprPtr dict_literal();
  ExprPtr postfix(ExprPtr value);
  ExprPtr filters_and_tests(ExprPtr value);
  ExprPtr dotted(ExprPtr object);
  ExprPtr subscript(ExprPtr object);
  ExprPtr call(ExprPtr callee);
  ExprPtr test(ExprPtr input);
  Arguments arguments();
  void argument(Arguments& arguments);
  NamedCall named_filter();
  NamedCall named_call(const Token& token, std::string name, const Builtin* builtin, const char* what);
  std::string dotted_name(const Token& first);
  bool is_tuple_end(std::string_view stop) const;

  TokenStream& tokens_;
  const Limits& limits_;
  size_t level_ = 0;
};

}  // namespace assay::jinja
