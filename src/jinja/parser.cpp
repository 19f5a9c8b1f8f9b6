#include "jinja/parser.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <set>
#include <utility>

#include "jinja/expression_parser.h"
#include "jinja/lexer.h"
#include "jinja/token_stream.h"

namespace assay::jinja {
namespace {

using Names = std::initializer_list<std::string_view>;

bool is_constant_name(std::string_view name) {
  for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"})
    if (name == constant) return true;
  return false;
}

class Parser {
 public:
  Parser(const std::string& source, const Limits& limits)
      : tokens_(source, tokenize(source, limits)), expressions_(tokens_, limits) {}

  Body run() { return statements({}); }

 private:
  struct Tag {
    std::string_view name;
    Stmt (Parser::*parse)(size_t begin);
  };
  static const std::array<Tag, 12> kTags;

  /// Statements up to a tag whose name is one of `ends`; the stream then stands at that name. With no `ends`:
  /// up to the end of the template.
  Body statements(Names ends) {
    Body body;
    while (tokens_.current().kind != Token::Kind::end) {
      const Token& token = tokens_.take();
      if (token.kind == Token::Kind::data) {
        body.push_back({token.begin, DataStmt{Text(token.text)}});
      } else if (token.kind == Token::Kind::print_begin) {
        PrintStmt print;
        print.values.push_back(expressions_.tuple());
        tokens_.expect(Token::Kind::print_end, "end of print statement");
        body.push_back({token.begin, std::move(print)});
      } else {
        for (const std::string_view end : ends)
          if (tokens_.current().is_name(end)) return body;
        body.push_back(statement(ends));
        end_tag();
      }
    }
    if (ends.size() > 0) fail_unclosed();
    return body;
  }

  void end_tag() { tokens_.expect(Token::Kind::block_end, "end of statement block"); }

  /// The rest of an opening tag, and the statements it encloses.
  Body body(Names ends) {
    tokens_.skip_op(":");
    end_tag();
    return statements(ends);
  }

  /// As body(), for a tag with a single end, which is passed over.
  Body body_until(std::string_view end) {
    Body inside = body({end});
    tokens_.take();
    return inside;
  }

  [[noreturn]] void fail_unclosed() const {
    const auto& open = open_tags_.back();
    tokens_.error(open.second, open.second + open.first.size(),
                  "unexpected end of template: '" + open.first + "' is not closed");
  }

  Stmt statement(Names ends) {
    const ExpressionParser::Level level(expressions_);
    const Token& name = tokens_.current();
    if (name.kind != Token::Kind::name) tokens_.error(name, "tag name expected, got " + describe(name));
    for (const Tag& tag : kTags) {
      if (!name.is_name(tag.name)) continue;
      tokens_.take();
      open_tags_.emplace_back(name.text, name.begin);
      Stmt parsed = (this->*tag.parse)(name.begin);
      open_tags_.pop_back();
      return parsed;
    }
    for (const std::string_view refused : {"include", "import", "from", "extends", "autoescape"})
      if (name.is_name(refused))
        tokens_.error(name.begin, name.end, "tag '" + name.text + "' is not available to chat templates",
                      ErrorKind::unsupported);
    std::string problem = "unknown tag '" + name.text + "'";
    for (const std::string_view end : ends)
      problem += (end == *ends.begin() ? ", expected '" : " or '") + std::string(end) + "'";
    tokens_.error(name, problem);
  }

  // ---- targets and functions ----

  Target name_target() {
    const Token& token = tokens_.expect(Token::Kind::name, "name");
    if (is_constant_name(token.text)) tokens_.error(token, "cannot assign to '" + token.text + "'");
    return {token.begin, token.text, {}, {}};
  }

  Target one_target() {
    const ExpressionParser::Level level(expressions_);
    const Token& token = tokens_.current();
    if (tokens_.skip_op("(")) {
      Target inside = tuple_target({});
      tokens_.expect_op(")");
      return inside;
    }
    Target target = name_target();
    if (n_loops_ > 0 && target.name == "loop") tokens_.error(token, "cannot assign to 'loop' inside a loop");
    return target;
  }

  Target tuple_target(std::string_view stop) {
    Target first = one_target();
    if (!tokens_.current().is_op(",")) return first;
    Target tuple{first.begin, {}, {}, {}};
    tuple.targets.push_back(std::move(first));
    while (tokens_.skip_op(",")) {
      const Token& token = tokens_.current();
      if (token.kind == Token::Kind::block_end || token.is_op(")") || token.is_op("=") ||
          (!stop.empty() && token.is_name(stop)))
        break;
      tuple.targets.push_back(one_target());
    }
    return tuple;
  }

  Target set_target() {
    if (!tokens_.next().is_op(".")) return tuple_target({});
    Target target = name_target();
    tokens_.take();
    target.attribute = tokens_.expect(Token::Kind::name, "name of an attribute").text;
    return target;
  }

  void signature(Function& function) {
    tokens_.expect_op("(");
    while (!tokens_.current().is_op(")")) {
      const Token& token = tokens_.current();
      const std::string name = name_target().name;
      if (std::find(function.parameters.begin(), function.parameters.end(), name) !=
          function.parameters.end())
        tokens_.error(token, "parameter '" + name + "' given twice");
      function.parameters.push_back(name);
      if (tokens_.skip_op("="))
        function.defaults.push_back(expressions_.expression());
      else if (!function.defaults.empty())
        tokens_.error(token, "parameter without a default after one with a default");
      if (!tokens_.current().is_op(")")) tokens_.expect_op(",");
    }
    tokens_.take();
  }

  /// Body of a macro or call block, with which of the special names it reads.
  void function_body(Function& function, std::string_view end) {
    const bool caller = std::exchange(expressions_.saw_caller, false);
    const bool varargs = std::exchange(expressions_.saw_varargs, false);
    const bool kwargs = std::exchange(expressions_.saw_kwargs, false);
    function.body = separate_body(end);
    const auto is_parameter = [&](std::string_view name) {
      return std::find(function.parameters.begin(), function.parameters.end(), name) !=
             function.parameters.end();
    };
    function.uses_caller = expressions_.saw_caller && !is_parameter("caller");
    function.uses_varargs = expressions_.saw_varargs && !is_parameter("varargs");
    function.uses_kwargs = expressions_.saw_kwargs && !is_parameter("kwargs");
    expressions_.saw_caller |= caller;
    expressions_.saw_varargs |= varargs;
    expressions_.saw_kwargs |= kwargs;
  }

  /// A body that runs apart from the loops around it: they cannot be left from inside.
  Body separate_body(std::string_view end) {
    const size_t loops = std::exchange(n_breakable_loops_, 0);
    Body inside = always_run_body(end);
    n_breakable_loops_ = loops;
    return inside;
  }

  /// Jinja2 checks the names of filters when it compiles, except directly inside an `if`.
  Body always_run_body(std::string_view end) {
    const bool outer = std::exchange(expressions_.may_not_run, false);
    Body inside = body_until(end);
    expressions_.may_not_run = outer;
    return inside;
  }

  // ---- tags ----

  Stmt parse_print(size_t begin) {
    PrintStmt print;
    while (tokens_.current().kind != Token::Kind::block_end) {
      if (!print.values.empty()) tokens_.expect_op(",");
      print.values.push_back(expressions_.expression());
    }
    return {begin, std::move(print)};
  }

  Stmt parse_if(size_t begin) {
    const bool outer = std::exchange(expressions_.may_not_run, true);
    IfStmt statement;
    do {
      ExprPtr condition = expressions_.tuple(false);
      Body then = body({"elif", "else", "endif"});
      statement.branches.emplace_back(std::move(condition), std::move(then));
    } while (tokens_.skip_name("elif"));
    if (tokens_.take().text == "else") statement.otherwise = body_until("endif");
    expressions_.may_not_run = outer;
    return {begin, std::move(statement)};
  }

  Stmt parse_for(size_t begin) {
    ForStmt loop;
    ++n_loops_;
    loop.target = tuple_target("in");
    tokens_.expect_name("in");
    --n_loops_;  // the iterable belongs to what is around the loop
    loop.iterable = expressions_.tuple(false, "recursive");
    if (tokens_.skip_name("if")) loop.condition = expressions_.expression();
    loop.recursive = tokens_.skip_name("recursive");
    const bool outer = std::exchange(expressions_.may_not_run, false);
    const size_t loops = std::exchange(n_breakable_loops_, loop.recursive ? 1 : n_breakable_loops_ + 1);
    ++n_loops_;
    loop.body = body({"endfor", "else"});
    n_breakable_loops_ = loop.recursive ? 0 : loops;
    if (tokens_.take().text == "else") loop.otherwise = body_until("endfor");
    --n_loops_;
    n_breakable_loops_ = loops;
    expressions_.may_not_run = outer;
    return {begin, std::move(loop)};
  }

  Stmt parse_set(size_t begin) {
    Target target = set_target();
    if (tokens_.skip_op("=")) return {begin, SetStmt{std::move(target), expressions_.tuple()}};
    SetBlockStmt block{std::move(target), expressions_.filter_chain(false), {}};
    block.body = always_run_body("endset");
    return {begin, std::move(block)};
  }

  Stmt parse_macro(size_t begin) {
    auto function = std::make_shared<Function>();
    function->name = name_target().name;
    signature(*function);
    const Token& after = tokens_.current();
    function_body(*function, "endmacro");
    const auto caller = std::find(function->parameters.begin(), function->parameters.end(), "caller");
    const size_t n_plain = function->parameters.size() - function->defaults.size();
    if (caller != function->parameters.end() && size_t(caller - function->parameters.begin()) < n_plain)
      tokens_.error(after, "parameter 'caller' must have a default");
    return {begin, MacroStmt{std::move(function)}};
  }

  Stmt parse_call(size_t begin) {
    auto function = std::make_shared<Function>();
    if (tokens_.current().is_op("(")) signature(*function);
    const Token& token = tokens_.current();
    ExprPtr call = expressions_.expression();
    if (!std::holds_alternative<CallExpr>(call->node)) tokens_.error(token, "expected a call");
    function_body(*function, "endcall");
    return {begin, CallStmt{std::move(function), std::move(call)}};
  }

  Stmt parse_filter(size_t begin) {
    FilterStmt block{expressions_.filter_chain(true), {}};
    block.body = always_run_body("endfilter");
    return {begin, std::move(block)};
  }

  Stmt parse_with(size_t begin) {
    WithStmt with;
    while (tokens_.current().kind != Token::Kind::block_end) {
      if (!with.values.empty()) tokens_.expect_op(",");
      Target target = tuple_target({});
      tokens_.expect_op("=");
      with.values.emplace_back(std::move(target), expressions_.expression());
    }
    with.body = always_run_body("endwith");
    return {begin, std::move(with)};
  }

  Stmt parse_generation(size_t begin) { return {begin, ScopeStmt{false, separate_body("endgeneration")}}; }

  Stmt parse_block(size_t begin) {
    const Token& token = tokens_.expect(Token::Kind::name, "name of the block");
    if (!blocks_.insert(token.text).second) tokens_.error(token, "block '" + token.text + "' defined twice");
    const bool scoped = tokens_.skip_name("scoped");
    if (tokens_.current().is_name("required"))
      tokens_.error(tokens_.current().begin, tokens_.current().end,
                    "required blocks need template inheritance", ErrorKind::unsupported);
    Body inside = separate_body("endblock");
    tokens_.skip_name(token.text);
    return {begin, ScopeStmt{!scoped, std::move(inside)}};
  }

  template <class Control>
  Stmt loop_control(size_t begin) {
    if (n_breakable_loops_ == 0)
      tokens_.error(begin, tokens_.last_end(), "'break' and 'continue' belong inside a loop");
    return {begin, Control{}};
  }

  TokenStream tokens_;
  ExpressionParser expressions_;
  std::vector<std::pair<std::string, size_t>> open_tags_;  // name and place of each tag being parsed
  std::set<std::string> blocks_;
  size_t n_loops_ = 0;            // loops around the current place
  size_t n_breakable_loops_ = 0;  // those that `break` can leave
};

const std::array<Parser::Tag, 12> Parser::kTags = {{
    {"if", &Parser::parse_if},
    {"for", &Parser::parse_for},
    {"set", &Parser::parse_set},
    {"macro", &Parser::parse_macro},
    {"call", &Parser::parse_call},
    {"filter", &Parser::parse_filter},
    {"with", &Parser::parse_with},
    {"print", &Parser::parse_print},
    {"block", &Parser::parse_block},
    {"generation", &Parser::parse_generation},
    {"break", &Parser::loop_control<BreakStmt>},
    {"continue", &Parser::loop_control<ContinueStmt>},
}};

}  // namespace

Body parse(const std::string& source, const Limits& limits) {
  return Parser(source, limits).run();
}

}  // namespace assay::jinja
