// What a hostile template or context can do: throw a TemplateError, soon, and nothing else.
#include <ctime>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <nlohmann/json.hpp>

#include "jinja/template.h"

namespace assay::jinja {
namespace {

using nlohmann::ordered_json;

std::string repeated(const std::string& text, size_t n) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += text;
  return out;
}

/// The error of rendering `source`; fails the test when there is none.
TemplateError error_of(const std::string& source, const ordered_json& context = ordered_json::object()) {
  try {
    const std::string text = Template::parse(source).render(context);
    ADD_FAILURE() << "rendered: " << text.substr(0, 200);
  } catch (const TemplateError& error) {
    return error;
  }
  return TemplateError(ErrorKind::runtime, 0, 0, "", "");
}

// Sanitizers slow allocation, which is what these templates do, about fourfold.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kSecondsAllowed = 40;
#elif defined(__has_feature)
constexpr int kSecondsAllowed = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ? 40 : 10;
#else
constexpr int kSecondsAllowed = 10;
#endif

TEST(Sandbox, LimitsEndWhatWouldNotEnd) {
  const std::string hostile[] = {
      "{{ 'a' * 10**9 }}",
      "{{ [0] * 10**9 }}",
      "{{ ('a' * 10**6)|replace('a', 'b' * 10**6) }}",
      "{{ range(10**9) }}",
      "{{ range(-9223372036854775807, 9223372036854775807) }}",
      "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{% for i in range(99) %}{{ m() }}{% endfor %}",
      "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
      "{% set ns = namespace(v=[]) %}{% for i in range(5000) %}{% set ns.v = [ns.v] %}{% endfor %}{{ ns.v }}",
      "{% set ns = namespace(v=[1]) %}{% for i in range(60) %}{% set ns.v = [ns.v, ns.v] %}{% endfor %}{{ "
      "ns.v }}",
      "{% set ns = namespace(v=[1]) %}{% for i in range(60) %}{% set ns.v = [ns.v, ns.v] %}{% endfor %}{{ "
      "ns.v == (ns.v + []) and ns.v|tojson }}",
      "{% set ns = namespace(g=[1]) %}{% for i in range(5000) %}{% set ns.g = ns.g|map('string') %}{% endfor "
      "%}{{ ns.g|list }}",
      "{% for i in range(100000) %}{{ 'x' * 1000 }}{% endfor %}",
      "{{ '%1000000000d' % 1 }}",
      "{{ '{:1000000000}'.format(1) }}",
      "{{ 'a'.center(10**10) }}",
      "{{ [1]|tojson(indent=10**10) }}",
      "{{ 'a'|indent(10**10) }}",
      "{{ 'x'|batch(10**12, 'f')|list }}",
      "{{ [1]|slice(10**12)|list }}",
      "{{ " + repeated("(", 5000) + "1" + repeated(")", 5000) + " }}",
      "{{ " + repeated("[", 5000) + repeated("]", 5000) + " }}",
      "{{ " + repeated("not ", 5000) + "1 }}",
      "{{ " + repeated("-", 5000) + "1 }}",
      "{{ 1" + repeated("+1", 5000) + " }}",
      "{{ x" + repeated(".a", 5000) + " }}",
      "{{ x" + repeated("|list", 5000) + " }}",
      "{{ 1" + repeated(" if 1 else 1", 5000) + " }}",
      repeated("{% if 1 %}", 5000) + repeated("{% endif %}", 5000),
      "{% set " + repeated("(", 5000) + "a" + repeated(")", 5000) + " = 1 %}",
      repeated("a", size_t(2) << 20),
  };
  for (const std::string& source : hostile) {
    SCOPED_TRACE(source.substr(0, 100));
    const std::clock_t start = std::clock();
    EXPECT_EQ(error_kind_name(error_of(source, {{"x", ordered_json::array()}}).kind), std::string("limit"));
    EXPECT_LT(std::clock() - start, kSecondsAllowed * CLOCKS_PER_SEC);  // of processor time
  }
}

TEST(Sandbox, DeepContextIsRefused) {
  ordered_json deep = 1;
  for (int i = 0; i < 1000; ++i) deep = ordered_json::array({std::move(deep)});
  EXPECT_EQ(error_of("x", {{"deep", deep}}).kind, ErrorKind::limit);
}

TEST(Sandbox, CyclesThroughNamespacesAreFreed) {  // seen by the leak sanitizer
  EXPECT_EQ(
      Template::parse("{% set a = namespace() %}{% set a.b = [a] %}{% for i in [1] %}{% set a.l = loop %}"
                      "{{ loop.changed(loop) }}{% endfor %}{% macro m() %}{% endmacro %}{% set a.m = m %}"
                      "{{ a.l.changed(a.l) }}{% set a.c = a.l.changed %}")
          .render(ordered_json::object()),
      "TrueTrue");
}

TEST(Sandbox, FunctionsOutliveTheirBlocks) {
  EXPECT_EQ(
      Template::parse("{% set ns = namespace() %}{% macro outer(x) %}{% macro inner() %}{{ x }}{% endmacro %}"
                      "{% set ns.f = inner %}{% for i in [1] recursive %}{% set ns.l = loop %}<{{ i }}{{ x "
                      "}}>{% endfor %}"
                      "{% endmacro %}{{ outer('o') }}{{ ns.f() }}{{ ns.l([2, 3]) }}")
          .render(ordered_json::object()),
      "<1o>o<2o><3o>");
}

TEST(Sandbox, NothingButDataIsReachable) {
  const std::string blocked[] = {"{{ ''.__class__.__mro__ }}",
                                 "{{ [].append(1) }}",
                                 "{{ {}.update({'a': 1}) }}",
                                 "{{ [1]|attr('append') }}",
                                 "{{ range.__globals__.x }}",
                                 "{{ lipsum() }}",
                                 "{{ [1]|random }}",
                                 "{% include 'x' %}",
                                 "{% import 'x' as y %}",
                                 "{% from 'x' import y %}",
                                 "{% extends 'x' %}",
                                 "{{ self.x }}",
                                 "{{ '{0.__class__.x}'.format('a') }}",
                                 "{% do [].append(1) %}",
                                 "{{ cycler.__init__.x }}"};
  for (const std::string& source : blocked) {
    SCOPED_TRACE(source);
    EXPECT_THROW(Template::parse(source).render(ordered_json::object()), TemplateError);
  }
  for (const char* refused :
       {"{{ lipsum() }}", "{{ [1]|random }}", "{% include 'x' %}", "{{ [1]|attr('x') }}"})
    EXPECT_EQ(error_of(refused).kind, ErrorKind::unsupported) << refused;
}

struct ErrorCase {
  const char* source;
  size_t line, column;
  const char* problem;
  const char* expression;
};

TEST(Sandbox, ErrorsSayWhereAndWhat) {
  const ErrorCase cases[] = {
      {"a\n  {{ x.y.z }}", 2, 6, "'dict object' has no attribute 'y'", "x.y.z"},
      {"é {{ missing.a }}", 1, 6, "'missing' is undefined", "missing.a"},
      {"{{ 1 + 'a' }}", 1, 4, "unsupported operand types for +: 'int' and 'str'", "1 + 'a'"},
      {"{{ [1]|map('upper')|nosuch }}", 1, 21, "no filter named 'nosuch'", "nosuch"},
      {"{% for x in y %}", 1, 4, "unexpected end of template: 'for' is not closed", "for"},
      {"{% if x %}{% endfor %}", 1, 14, "unknown tag 'endfor', expected 'elif' or 'else' or 'endif'",
       "endfor"},
      {"{{ raise_exception('no ' ~ 'way') }}", 1, 4, "no way", "raise_exception('no ' ~ 'way')"},
      {"{{ 1 / 0 }}", 1, 4, "division by zero", "1 / 0"},
      {"{{ 9223372036854775807 + 1 }}", 1, 4, "integer result does not fit 64 bits",
       "9223372036854775807 + 1"},
  };
  for (const ErrorCase& c : cases) {
    SCOPED_TRACE(c.source);
    const TemplateError error = error_of(c.source, {{"x", ordered_json::object()}});
    EXPECT_EQ(error.line, c.line);
    EXPECT_EQ(error.column, c.column);
    EXPECT_EQ(error.problem, c.problem);
    EXPECT_EQ(error.expression, c.expression);
  }
}

TEST(Sandbox, OneTemplateRendersInManyThreads) {
  const auto parsed =
      Template::parse("{% macro m(x) %}{{ x }}{% endmacro %}{% for i in range(50) %}{{ m(i) }},{% endfor %}");
  const std::string expected = parsed.render(ordered_json::object());
  std::vector<std::string> results(4);
  std::vector<std::jthread> threads;
  for (std::string& result : results)
    threads.emplace_back([&] { result = parsed.render(ordered_json::object()); });
  threads.clear();
  EXPECT_THAT(results, testing::Each(expected));
}

RC_GTEST_PROP(Sandbox, AnyPiecesParseOrThrow, ()) {
  const auto pieces = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
      "{{", "}}", "{%", "%}", "{#", "#}", "-", "+", " ", "\n", "for", "in", "if", "else", "endif", "endfor",
      "set", "=", "x", "'a'", "1", "(", ")", "[", "]", "{", "}", ":", ",", ".", "|", "upper", "is", "not",
      "macro", "endmacro", "raw", "endraw", "~", "**", "loop", "é", "\"", "\\", "call", "filter", "break",
      "recursive", "1.5e3", "0x"));
  std::string source;
  for (const std::string& piece : pieces) source += piece;
  try {
    Template::parse(source).render({{"x", {1, 2}}});
  } catch (const TemplateError& error) {
    RC_ASSERT(error.line >= 1 && error.column >= 1);
  }
}

RC_GTEST_PROP(Sandbox, DataNeverLosesItsMark, (std::string content)) {
  // Whatever the content, what is not marked is the template's own text alone.
  for (char& c : content)
    if (static_cast<unsigned char>(c) >= 0x80) c = 'x';
  const auto parsed = Template::parse(
      "<{{ m.strip() ~ m[1:] ~ m|upper ~ m|replace('a', m) ~ [m]|join ~ '%s' % m ~ '{}'.format(m) }}>");
  std::string own;
  for (const Segment& segment : parsed.render_segments({{"m", content}}))
    if (!segment.from_data) own += segment.text;
  RC_ASSERT(own == "<>");
}

}  // namespace
}  // namespace assay::jinja
