#include "jinja/expression_parser.h"

#include <algorithm>
#include <array>
#include <utility>

namespace assay::jinja {
namespace {

size_t depth_of(const ExprPtr& expr) {
  return expr ? expr->depth : 0;
}

size_t depth_of(const std::vector<ExprPtr>& items) {
  size_t deepest = 0;
  for (const ExprPtr& item : items) deepest = std::max(deepest, item->depth);
  return deepest;
}

size_t depth_of(const Arguments& arguments) {
  size_t deepest =
      std::max({depth_of(arguments.args), depth_of(arguments.more_args), depth_of(arguments.more_kwargs)});
  for (const auto& kwarg : arguments.kwargs) deepest = std::max(deepest, kwarg.second->depth);
  return deepest;
}

struct OperatorName {
  std::string_view text;
  BinaryOp op;
};
constexpr std::array<OperatorName, 2> kSums = {{{"+", BinaryOp::add}, {"-", BinaryOp::subtract}}};
constexpr std::array<OperatorName, 4> kProducts = {{{"*", BinaryOp::multiply},
                                                    {"/", BinaryOp::divide},
                                                    {"//", BinaryOp::floor_divide},
                                                    {"%", BinaryOp::modulo}}};

template <class Table>
std::optional<BinaryOp> operator_in(const Table& table, const Token& token) {
  for (const OperatorName& entry : table)
    if (token.is_op(entry.text)) return entry.op;
  return std::nullopt;
}

std::optional<CompareExpr::Op> comparison_operator(const Token& token) {
  using Op = CompareExpr::Op;
  constexpr std::array<std::pair<std::string_view, Op>, 6> kTable = {
      {{"==", Op::eq}, {"!=", Op::ne}, {"<", Op::lt}, {"<=", Op::le}, {">", Op::gt}, {">=", Op::ge}}};
  for (const auto& entry : kTable)
    if (token.is_op(entry.first)) return entry.second;
  if (token.is_name("in")) return Op::in;
  return std::nullopt;
}

}  // namespace

ExpressionParser::Level::Level(ExpressionParser& parser) : parser_(parser) {
  if (parser_.level_ >= parser_.limits_.parse_depth)
    parser_.tokens_.error(parser_.tokens_.current().begin, parser_.tokens_.current().end,
                          "nested more than " + std::to_string(parser_.limits_.parse_depth) + " deep",
                          ErrorKind::limit);
  ++parser_.level_;
}

/// An expression from `begin` to where the stream is. Chains such as a+a+a nest without recursion of the
/// parser, so the height is checked here as well.
template <class Node>
ExprPtr ExpressionParser::make(size_t begin, size_t depth_below, Node node) {
  if (depth_below + 1 > limits_.parse_depth)
    tokens_.error(begin, tokens_.last_end(),
                  "expression nested more than " + std::to_string(limits_.parse_depth) + " deep",
                  ErrorKind::limit);
  return std::make_unique<Expr>(Expr{begin, tokens_.last_end(), depth_below + 1, std::move(node)});
}

ExprPtr ExpressionParser::expression(bool conditional) {
  const Level level(*this);
  ExprPtr value = or_expression();
  return conditional ? conditional_tail(std::move(value)) : std::move(value);
}

ExprPtr ExpressionParser::conditional_tail(ExprPtr value) {
  while (tokens_.skip_name("if")) {
    const bool outer = std::exchange(may_not_run, true);
    const size_t begin = value->begin;
    ExprPtr condition = or_expression();
    ExprPtr otherwise = tokens_.skip_name("else") ? expression() : nullptr;
    const size_t depth = std::max({value->depth, condition->depth, depth_of(otherwise)});
    value = make(begin, depth, ConditionalExpr{std::move(condition), std::move(value), std::move(otherwise)});
    may_not_run = outer;
  }
  return value;
}

ExprPtr ExpressionParser::or_expression() {
  ExprPtr left = and_expression();
  while (tokens_.skip_name("or")) {
    ExprPtr right = and_expression();
    const size_t begin = left->begin, depth = std::max(left->depth, right->depth);
    left = make(begin, depth, LogicExpr{false, std::move(left), std::move(right)});
  }
  return left;
}

ExprPtr ExpressionParser::and_expression() {
  ExprPtr left = not_expression();
  while (tokens_.skip_name("and")) {
    ExprPtr right = not_expression();
    const size_t begin = left->begin, depth = std::max(left->depth, right->depth);
    left = make(begin, depth, LogicExpr{true, std::move(left), std::move(right)});
  }
  return left;
}

ExprPtr ExpressionParser::not_expression() {
  if (!tokens_.current().is_name("not")) return comparison();
  const Level level(*this);
  const size_t begin = tokens_.take().begin;
  ExprPtr operand = not_expression();
  const size_t depth = operand->depth;
  return make(begin, depth, UnaryExpr{UnaryExpr::Op::negation, std::move(operand)});
}

ExprPtr ExpressionParser::comparison() {
  ExprPtr first = sum();
  CompareExpr compare{nullptr, {}};
  const size_t begin = first->begin;
  size_t depth = first->depth;
  while (true) {
    auto op = comparison_operator(tokens_.current());
    if (!op && tokens_.current().is_name("not") && tokens_.next().is_name("in")) {
      tokens_.take();
      op = CompareExpr::Op::not_in;
    }
    if (!op) break;
    tokens_.take();
    ExprPtr right = sum();
    depth = std::max(depth, right->depth);
    compare.rest.emplace_back(*op, std::move(right));
  }
  if (compare.rest.empty()) return first;
  compare.first = std::move(first);
  return make(begin, depth, std::move(compare));
}

ExprPtr ExpressionParser::sum() {
  ExprPtr left = concatenation();
  while (const auto op = operator_in(kSums, tokens_.current())) {
    tokens_.take();
    ExprPtr right = concatenation();
    const size_t begin = left->begin, depth = std::max(left->depth, right->depth);
    left = make(begin, depth, BinaryExpr{*op, std::move(left), std::move(right)});
  }
  return left;
}

ExprPtr ExpressionParser::concatenation() {
  ExprPtr first = product();
  if (!tokens_.current().is_op("~")) return first;
  const size_t begin = first->begin;
  ConcatExpr concat;
  concat.parts.push_back(std::move(first));
  while (tokens_.skip_op("~")) concat.parts.push_back(product());
  const size_t depth = depth_of(concat.parts);
  return make(begin, depth, std::move(concat));
}

ExprPtr ExpressionParser::product() {
  ExprPtr left = power();
  while (const auto op = operator_in(kProducts, tokens_.current())) {
    tokens_.take();
    ExprPtr right = power();
    const size_t begin = left->begin, depth = std::max(left->depth, right->depth);
    left = make(begin, depth, BinaryExpr{*op, std::move(left), std::move(right)});
  }
  return left;
}

ExprPtr ExpressionParser::power() {
  ExprPtr left = unary(true);
  while (tokens_.skip_op("**")) {
    ExprPtr right = unary(true);
    const size_t begin = left->begin, depth = std::max(left->depth, right->depth);
    left = make(begin, depth, BinaryExpr{BinaryOp::power, std::move(left), std::move(right)});
  }
  return left;
}

ExprPtr ExpressionParser::unary(bool with_filters) {
  const Level level(*this);
  const size_t begin = tokens_.current().begin;
  ExprPtr value;
  if (tokens_.current().is_op("-") || tokens_.current().is_op("+")) {
    const auto op = tokens_.take().is_op("-") ? UnaryExpr::Op::negate : UnaryExpr::Op::positive;
    ExprPtr operand = unary(false);
    const size_t depth = operand->depth;
    value = make(begin, depth, UnaryExpr{op, std::move(operand)});
  } else {
    value = primary();
  }
  value = postfix(std::move(value));
  return with_filters ? filters_and_tests(std::move(value)) : std::move(value);
}

ExprPtr ExpressionParser::primary() {
  const Token& token = tokens_.current();
  const auto literal = [&](Value value) {
    tokens_.take();
    return make(token.begin, 0, LiteralExpr{std::move(value)});
  };
  switch (token.kind) {
    case Token::Kind::integer:
      return literal(token.integer);
    case Token::Kind::number:
      return literal(token.number);
    case Token::Kind::string: {
      std::string text;  // neighbouring strings are one
      while (tokens_.current().kind == Token::Kind::string) text += tokens_.take().text;
      return make(token.begin, 0, LiteralExpr{Value::literal(text)});
    }
    case Token::Kind::name: {
      if (token.text == "true" || token.text == "True") return literal(true);
      if (token.text == "false" || token.text == "False") return literal(false);
      if (token.text == "none" || token.text == "None") return literal(Value());
      saw_caller |= token.text == "caller";
      saw_varargs |= token.text == "varargs";
      saw_kwargs |= token.text == "kwargs";
      tokens_.take();
      return make(token.begin, 0, NameExpr{token.text});
    }
    default:
      break;
  }
  if (token.is_op("[")) return list_literal();
  if (token.is_op("{")) return dict_literal();
  if (!tokens_.skip_op("(")) tokens_.error(token, "unexpected " + describe(token));
  ExprPtr inside;
  if (tokens_.current().is_op(")"))
    inside = make(token.begin, 0, ListExpr{List::Kind::tuple, {}});
  else
    inside = tuple();
  tokens_.expect_op(")");
  inside->begin = token.begin;
  inside->end = tokens_.last_end();
  return inside;
}

bool ExpressionParser::is_tuple_end(std::string_view stop) const {
  const Token& token = tokens_.current();
  return token.kind == Token::Kind::print_end || token.kind == Token::Kind::block_end || token.is_op(")") ||
         (!stop.empty() && token.is_name(stop));
}

ExprPtr ExpressionParser::tuple(bool conditional, std::string_view stop) {
  const Token& start = tokens_.current();
  if (is_tuple_end(stop)) tokens_.error(start, "expected an expression, got " + describe(start));
  ExprPtr first = expression(conditional);
  if (!tokens_.current().is_op(",")) return first;
  ListExpr items{List::Kind::tuple, {}};
  items.items.push_back(std::move(first));
  while (tokens_.skip_op(",")) {
    if (is_tuple_end(stop)) break;
    items.items.push_back(expression(conditional));
  }
  const size_t depth = depth_of(items.items);
  return make(start.begin, depth, std::move(items));
}

ExprPtr ExpressionParser::list_literal() {
  const size_t begin = tokens_.take().begin;
  ListExpr list{List::Kind::list, {}};
  while (!tokens_.current().is_op("]")) {
    list.items.push_back(expression());
    if (!tokens_.current().is_op("]")) tokens_.expect_op(",");
  }
  tokens_.take();
  const size_t depth = depth_of(list.items);
  return make(begin, depth, std::move(list));
}

ExprPtr ExpressionParser::dict_literal() {
  const size_t begin = tokens_.take().begin;
  DictExpr dict;
  size_t depth = 0;
  while (!tokens_.current().is_op("}")) {
    ExprPtr key = expression();
    tokens_.expect_op(":");
    ExprPtr value = expression();
    depth = std::max({depth, key->depth, value->depth});
    dict.items.emplace_back(std::move(key), std::move(value));
    if (!tokens_.current().is_op("}")) tokens_.expect_op(",");
  }
  tokens_.take();
  return make(begin, depth, std::move(dict));
}

ExprPtr ExpressionParser::postfix(ExprPtr value) {
  while (true) {
    if (tokens_.current().is_op("."))
      value = dotted(std::move(value));
    else if (tokens_.current().is_op("["))
      value = subscript(std::move(value));
    else if (tokens_.current().is_op("("))
      value = call(std::move(value));
    else
      return value;
  }
}

ExprPtr ExpressionParser::filters_and_tests(ExprPtr value) {
  while (true) {
    if (tokens_.skip_op("|")) {
      const size_t begin = value->begin;
      NamedCall filter = named_filter();
      const size_t depth = std::max(value->depth, depth_of(filter.arguments));
      value = make(begin, depth, FilterExpr{std::move(value), std::move(filter)});
    } else if (tokens_.current().is_name("is")) {
      value = test(std::move(value));
    } else if (tokens_.current().is_op("(")) {
      value = call(std::move(value));
    } else {
      return value;
    }
  }
}

ExprPtr ExpressionParser::dotted(ExprPtr object) {
  tokens_.take();
  const size_t begin = object->begin, depth = object->depth;
  const Token& token = tokens_.take();
  if (token.kind == Token::Kind::name)
    return make(begin, depth, AttributeExpr{std::move(object), token.text});
  if (token.kind != Token::Kind::integer)
    tokens_.error(token, "expected name or number, got " + describe(token));
  ExprPtr key = std::make_unique<Expr>(Expr{token.begin, token.end, 1, LiteralExpr{token.integer}});
  return make(begin, depth, ItemExpr{std::move(object), std::move(key)});
}

ExprPtr ExpressionParser::subscript(ExprPtr object) {
  const Token& bracket = tokens_.take();
  const size_t begin = object->begin;
  size_t depth = object->depth;
  const auto bound = [&]() -> ExprPtr {
    if (tokens_.current().is_op(":") || tokens_.current().is_op("]") || tokens_.current().is_op(","))
      return nullptr;
    ExprPtr part = expression();
    depth = std::max(depth, part->depth);
    return part;
  };
  ExprPtr first = bound();
  if (tokens_.skip_op(":")) {
    ExprPtr stop = bound();
    ExprPtr step = tokens_.skip_op(":") ? bound() : nullptr;
    tokens_.expect_op("]");
    return make(begin, depth,
                SliceExpr{std::move(object), std::move(first), std::move(stop), std::move(step)});
  }
  if (!first) tokens_.error(bracket.begin, tokens_.current().end, "expected a subscript");
  if (tokens_.current().is_op(",")) {  // a[1, 2] has a tuple as its key
    ListExpr key{List::Kind::tuple, {}};
    key.items.push_back(std::move(first));
    while (tokens_.skip_op(",")) key.items.push_back(expression());
    const size_t key_depth = depth_of(key.items);
    first = make(bracket.end, key_depth, std::move(key));
    depth = std::max(depth, first->depth);
  }
  tokens_.expect_op("]");
  return make(begin, depth, ItemExpr{std::move(object), std::move(first)});
}

ExprPtr ExpressionParser::call(ExprPtr callee) {
  const size_t begin = callee->begin;
  Arguments given = arguments();
  const size_t depth = std::max(callee->depth, depth_of(given));
  return make(begin, depth, CallExpr{std::move(callee), std::move(given)});
}

Arguments ExpressionParser::arguments() {
  tokens_.expect_op("(");
  Arguments given;
  while (!tokens_.current().is_op(")")) {
    argument(given);
    if (!tokens_.current().is_op(")")) tokens_.expect_op(",");
  }
  tokens_.take();
  return given;
}

void ExpressionParser::argument(Arguments& given) {
  const Token& token = tokens_.current();
  const auto require = [&](bool allowed) {
    if (!allowed) tokens_.error(token, "invalid syntax for function call expression");
  };
  if (tokens_.skip_op("*")) {
    require(!given.more_args && !given.more_kwargs);
    given.more_args = expression();
  } else if (tokens_.skip_op("**")) {
    require(!given.more_kwargs);
    given.more_kwargs = expression();
  } else if (token.kind == Token::Kind::name && tokens_.next().is_op("=")) {
    require(!given.more_kwargs);
    for (const auto& other : given.kwargs)
      if (other.first == token.text) tokens_.error(token, "keyword argument repeated: " + token.text);
    tokens_.take();
    tokens_.take();
    given.kwargs.emplace_back(token.text, expression());
  } else {
    require(!given.more_args && !given.more_kwargs && given.kwargs.empty());
    given.args.push_back(expression());
  }
}

std::string ExpressionParser::dotted_name(const Token& first) {
  std::string name = first.text;
  while (tokens_.skip_op(".")) name += "." + tokens_.expect(Token::Kind::name, "name").text;
  return name;
}

NamedCall ExpressionParser::named_call(const Token& token, std::string name, const Builtin* builtin,
                                       const char* what) {
  if (!builtin && !may_not_run) tokens_.error(token, std::string("no ") + what + " named '" + name + "'");
  return {builtin, std::move(name), {}};
}

NamedCall ExpressionParser::named_filter() {
  const Token& token = tokens_.expect(Token::Kind::name, "name of a filter");
  const std::string name = dotted_name(token);
  NamedCall filter = named_call(token, name, find_filter(name), "filter");
  if (tokens_.current().is_op("(")) filter.arguments = arguments();
  return filter;
}

std::vector<NamedCall> ExpressionParser::filter_chain(bool bare_first) {
  std::vector<NamedCall> chain;
  if (bare_first) chain.push_back(named_filter());
  while (tokens_.skip_op("|")) chain.push_back(named_filter());
  return chain;
}

ExprPtr ExpressionParser::test(ExprPtr input) {
  tokens_.take();
  const bool negated = tokens_.skip_name("not");
  const Token& token = tokens_.expect(Token::Kind::name, "name of a test");
  const std::string name = dotted_name(token);
  NamedCall test = named_call(token, name, find_test(name), "test");
  const Token& after = tokens_.current();
  const bool is_operand = after.kind == Token::Kind::string || after.kind == Token::Kind::integer ||
                          after.kind == Token::Kind::number || after.is_op("[") || after.is_op("{") ||
                          (after.kind == Token::Kind::name && !after.is_name("else") &&
                           !after.is_name("or") && !after.is_name("and"));
  if (after.is_op("(")) {
    test.arguments = arguments();
  } else if (is_operand) {
    if (after.is_name("is")) tokens_.error(after, "tests cannot be chained with 'is'");
    const Level level(*this);
    test.arguments.args.push_back(postfix(primary()));
  }
  const size_t begin = input->begin, depth = std::max(input->depth, depth_of(test.arguments));
  return make(begin, depth, TestExpr{std::move(input), std::move(test), negated});
}

}  // namespace assay::jinja
