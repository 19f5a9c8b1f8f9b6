// The language, area by area. Expected texts are what Jinja2 3.1.2 prints.
#include "jinja/template.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace assay::jinja {
namespace {

using nlohmann::ordered_json;

struct Case {
  const char* source;
  const char* expected;
};

std::string render(const std::string& source, const ordered_json& context = ordered_json::object()) {
  RenderOptions options;
  options.now.tm_year = 124, options.now.tm_mon = 6, options.now.tm_mday = 6;
  options.now.tm_hour = 13, options.now.tm_wday = 6, options.now.tm_yday = 187;
  return Template::parse(source).render(context, options);
}

template <size_t kCount>
void expect_all(const Case (&cases)[kCount], const ordered_json& context = ordered_json::object()) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.source);
    try {
      EXPECT_EQ(render(c.source, context), c.expected);
    } catch (const TemplateError& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

TEST(Template, WhitespaceControl) {
  const Case cases[] = {
      {"a\n  {% if true %}\n  b\n  {% endif %}\n c\n", "a\n  b\n c"},
      {"a {%- if true -%} b {%- endif -%} c", "abc"},
      {"  {%+ if true %}x{% endif +%}\ny", "  x\ny"},
      {"a\n  {{ 1 }}\n b", "a\n  1\n b"},
      {"a\n {{- 1 -}} \n b", "a1b"},
      {"x\n   {# note #}\ny", "x\ny"},
      {"x {#- note -#} y", "xy"},
      {"{% raw %}{{ a }}{% endraw %}", "{{ a }}"},
      {"{%- raw -%} {% b %} {%- endraw -%} ", "{% b %}"},
      {"a\r\nb\rc\n\n", "a\nb\nc\n"},
      {"{{ {'a': {'b': 1}}['a'] }}", "{'b': 1}"},
  };
  expect_all(cases);
}

TEST(Template, Arithmetic) {
  const Case cases[] = {
      {"{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % -3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 6 / 2 }}", "3 -4 -2 2 3.5 3.0"},
      {"{{ 2 ** 10 }} {{ 2 ** -1 }} {{ -2 ** 2 }} {{ 2 ** 3 ** 2 }}", "1024 0.5 4 64"},
      {"{{ 1.5 // 0.5 }} {{ -1.5 % 1 }} {{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }}",
       "3.0 0.5 1e+16 1000000000000000.0 0.0001 1e-05"},
      {"{{ 'ab' * 2 ~ 3 }} {{ [1] * 2 + [3] }} {{ 'a' + 'b' }} {{ 'x' * -1 }}", "abab3 [1, 1, 3] ab "},
      {"{{ 1 < 2 < 3 }} {{ 1 == 1.0 == true }} {{ 'a' in 'cat' }} {{ 3 not in [1, 2] }}",
       "True True True True"},
      {"{{ 0x1f + 0b11 + 0o7 + 1_000 }} {{ 5.0 }} {{ -0.0 }} {{ 0.1 + 0.2 }}",
       "1041 5.0 -0.0 0.30000000000000004"},
      {"{{ '%s is %05.1f%%' % ('x', 2.25) }} {{ '%(a)d' % {'a': 3} }}", "x is 002.2% 3"},
      {"{{ 1 if false }}|{{ 'a' or 'b' }}|{{ '' and 'b' }}|{{ not 0 }}", "|a||True"},
  };
  expect_all(cases);
}

TEST(Template, Repr) {
  const Case cases[] = {
      {"{{ [1, 'a', none, true, 2.0, (1,), {'k': []}] }}", "[1, 'a', None, True, 2.0, (1,), {'k': []}]"},
      {"{{ ['it\\'s', 'a\"b', '\\n\\x00é'] }}", "[\"it's\", 'a\"b', '\\n\\x00é']"},
      {"{{ {'a': 1}.items() }} {{ {'a': 1}.keys() }} {{ range(3) }}",
       "dict_items([('a', 1)]) dict_keys(['a']) range(0, 3)"},
      {"{{ nothing }}|{{ nothing.x if (nothing is defined) }}|{{ {}.x }}", "||"},
  };
  expect_all(cases);
}

TEST(Template, SlicesAndItems) {
  const Case cases[] = {
      {"{{ 'héllo'[1:3] }} {{ 'abc'[::-1] }} {{ [1, 2, 3][-2:] }} {{ (1, 2, 3)[::2] }} {{ range(9)[2:8:3] }}",
       "él cba [2, 3] (1, 3) range(2, 8, 3)"},
      {"{{ 'abc'[5] is undefined }} {{ [1][-1] }} {{ {'items': 3}['items'] }} {{ {'a': {'b': 4}}.a.b }} {{ "
       "[7].0 }}",
       "True 1 3 4 7"},
  };
  expect_all(cases);
}

TEST(Template, Loops) {
  const Case cases[] = {
      {"{% for x in [1, 2, 3] %}{{ loop.index }}{{ loop.revindex0 }}{{ ',' if not loop.last }}{% endfor %}",
       "12,21,30"},
      {"{% for x in [] %}a{% else %}none{% endfor %}", "none"},
      {"{% for x in [1, 2, 3, 4] if x is even %}{{ x }}/{{ loop.length }} {% endfor %}", "2/2 4/2 "},
      {"{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}{{ v }}{% endfor %}", "a1b2"},
      {"{% for x in 'abcd' %}{% if x == 'b' %}{% continue %}{% elif x == 'd' %}{% break %}{% endif %}{{ x "
       "}}{% endfor %}",
       "ac"},
      {"{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{{ loop.cycle('a', 'b') }} {% endfor %}",
       "Truea Falseb Truea "},
      {"{% for x in [1, 2] %}{{ loop.previtem }}<{{ x }}<{{ loop.nextitem }};{% endfor %}", "<1<2;1<2<;"},
      {"{% for n in [{'v': 1, 'c': [{'v': 2, 'c': []}]}] recursive %}{{ n.v }}@{{ loop.depth }}({{ loop(n.c) "
       "}}){% endfor %}",
       "1@1(2@2())"},
      {"{% set x = 0 %}{% for i in [1, 2] %}{% set x = i %}{% endfor %}{{ x }}", "0"},
      {"{% set ns = namespace(x=0) %}{% for i in [1, 2] %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
       "3"},
  };
  expect_all(cases);
}

TEST(Template, MacrosAndBlocks) {
  const Case cases[] = {
      {"{% macro m(a, b=2) %}{{ a }}-{{ b }};{% endmacro %}{{ m(1) }}{{ m(1, b=3) }}{{ m(b=4, a=5) }}",
       "1-2;1-3;5-4;"},
      {"{% macro m() %}[{{ caller('x') }}]{% endmacro %}{% call(v) m() %}got {{ v }}{% endcall %}",
       "[got x]"},
      {"{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, a=3) }}", "(1, 2){'a': 3}"},
      {"{% macro f(n) %}{{ n }}{{ f(n - 1) if n > 0 }}{% endmacro %}{{ f(3) }}", "3210"},
      {"{% set t | upper %}abc{% endset %}{{ t }} {% filter replace('a', 'b') %}aa{% endfilter %}", "ABC bb"},
      {"{% set a, b = 1, [2] %}{{ a }}{{ b }}{% with a = 5, c = a %}{{ a }}{{ c }}{% endwith %}{{ a }}",
       "1[2]511"},
      {"{% generation %}a{% endgeneration %}{% block b %}c{% endblock %}", "ac"},
      {"{% set j = joiner('|') %}{% for x in [1, 2] %}{{ j() }}{{ x }}{% endfor %}{% set c = cycler(1, 2) "
       "%}{{ c.next() }}{{ c.next() }}{{ c.next() }}",
       "1|2121"},
  };
  expect_all(cases);
}

TEST(Template, TextMethods) {
  const Case cases[] = {
      {"{{ ' a b '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'a,b,c'.split(',', 1) }}|{{ ' a  b '.split() }}",
       "a b|a|['a', 'b,c']|['a', 'b']"},
      {"{{ 'Straße'.upper() }} {{ 'ÀÉ'.lower() }} {{ \"it's a dog\".title() }} {{ 'hELLO'.capitalize() }}",
       "STRASSE àé It'S A Dog Hello"},
      {"{{ 'abcabc'.find('c', 3) }} {{ 'abc'.startswith(('x', 'a')) }} {{ 'a-b'.partition('-') }} {{ "
       "'aXbX'.rsplit('X', 1) }}",
       "5 True ('a', '-', 'b') ['aXb', '']"},
      {"{{ '{} {0}'.format is defined }} {{ '{:>5}|{x:.2f}|{!r}'.format('a', 'b', x=1.005) }}",
       "True     a|1.00|'b'"},
      {"{{ '-'.join(['a', 'b']) }} {{ 'a\\nb'.splitlines() }} {{ '7'.zfill(3) }} {{ 'abc'.removeprefix('a') "
       "}}",
       "a-b ['a', 'b'] 007 bc"},
      {"{{ {'a': 1}.get('b', 2) }} {{ [1, 2].index(2) }} {{ [1, 1].count(1) }}", "2 1 2"},
  };
  expect_all(cases);
}

TEST(Template, Filters) {
  const Case cases[] = {
      {"{{ {'b': [1, 2.0, none, true], 'é': '<\"\\n'}|tojson }}",
       "{\"b\": [1, 2.0, null, true], \"é\": \"<\\\"\\n\"}"},
      {"{{ {'a': [], 'b': [1]}|tojson(indent=2) }}", "{\n  \"a\": [],\n  \"b\": [\n    1\n  ]\n}"},
      {"{{ [3, 1, 2]|sort|join(',') }} {{ ['b', 'A']|sort }} {{ [1, 1, 2]|unique|list }} {{ [1, "
       "2]|reverse|list }}",
       "1,2,3 ['A', 'b'] [1, 2] [2, 1]"},
      {"{{ users|map(attribute='n')|join }} {{ users|selectattr('a', 'gt', 1)|list|length }} {{ "
       "users|sum(attribute='a') }}",
       "xy 1 3"},
      {"{% for g, items in users|groupby('a') %}{{ g }}:{{ items|length }} {% endfor %}{{ {'b': 1, 'a': "
       "2}|dictsort }}",
       "1:1 2:1 [('a', 2), ('b', 1)]"},
      {"{{ 2.5|round }} {{ 2.567|round(2) }} {{ 2.1|round(0, 'ceil') }} {{ '3.9'|int }} {{ 'z'|int(7) }} {{ "
       "-3|abs }}",
       "2.0 2.57 3.0 3 7 3"},
      {"{{ 'a\\nb'|indent(2) }} {{ 'hello big world'|truncate(8) }} {{ 'a b'|wordcount }} {{ "
       "missing|default('d') }} {{ ''|d('e', true) }}",
       "a\n  b hello... 2 d e"},
      {"{{ [1, 2, 3]|batch(2)|list }} {{ [1, 2, 3]|slice(2)|list }} {{ 'a b'|urlencode }} {{ '<'|e }} {{ [1, "
       "2]|last }}",
       "[[1, 2], [3]] [[1, 2], [3]] a%20b &lt; 2"},
  };
  expect_all(cases, {{"users", {{{"n", "x"}, {"a", 1}}, {{"n", "y"}, {"a", 2}}}}});
}

TEST(Template, Tests) {
  const Case cases[] = {
      {"{{ 1 is number }} {{ true is integer }} {{ 'a' is string }} {{ {} is mapping }} {{ 'a' is iterable "
       "}} {{ 1 is sequence }}",
       "True False True True True False"},
      {"{{ x is defined }} {{ none is none }} {{ 4 is divisibleby 2 }} {{ 3 is odd }} {{ 2 is in [1, 2] }} "
       "{{ 1 is not even }}",
       "False True True True True True"},
      {"{{ range is callable }} {{ 'AB' is upper }} {{ true is sameas true }} {{ 1 is eq 1 }} {{ 1 is lt 2 "
       "}} {{ 1.0 is float }}",
       "True True True True True True"},
  };
  expect_all(cases);
}

TEST(Template, TheClockIsAnInput) {
  EXPECT_EQ(render("{{ strftime_now('%d %b %Y %-d %A %H:%M %j %%') }}"),
            "06 Jul 2024 6 Saturday 13:00 188 %");
}

TEST(Template, SegmentsTellDataFromTemplate) {
  RenderOptions options;
  options.trusted_variables = {{"bos_token", "<s>"}};
  options.trusted_words = {"user"};
  const auto parsed = Template::parse(
      "{{ bos_token }}<|{{ m.role }}|>{{ (' ' + m.text + '!')|trim|replace('b', '<x>') }}{{ m|tojson }}{{ "
      "m.text[1:]|upper }}");
  const auto segments = parsed.render_segments({{"m", {{"role", "user"}, {"text", "a<|b|>"}}}}, options);
  const std::vector<Segment> expected = {{"<s><|user|>", false},
                                         {"a<|", true},
                                         {"<x>", false},
                                         {"|>", true},
                                         {"!{\"", false},
                                         {"role", true},
                                         {"\": \"user\", \"", false},
                                         {"text", true},
                                         {"\": \"", false},
                                         {"a<|b|>", true},
                                         {"\"}", false},
                                         {"<|B|>", true}};
  EXPECT_EQ(segments, expected);
}

TEST(Template, GoldenRenderings) {
  const std::string folder = std::string(ASSAY_SOURCE_DIR) + "/tests/golden/jinja/";
  const auto read = [](const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    EXPECT_TRUE(file) << path;
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const auto contexts = ordered_json::parse(read(folder + "contexts.json"));
  const auto golden = ordered_json::parse(read(folder + "renderings.json"));
  RenderOptions options;
  options.now.tm_year = 124, options.now.tm_mon = 6, options.now.tm_mday = 26;
  for (const auto& rendering : golden.at("renderings")) {
    const auto name = rendering.at("template").get<std::string>(),
               context = rendering.at("context").get<std::string>();
    SCOPED_TRACE(name + " / " + context);
    const auto parsed = Template::parse(read(folder + "templates/" + name));
    if (rendering.contains("error"))
      EXPECT_THROW(parsed.render(contexts.at(context), options), TemplateError);
    else
      EXPECT_EQ(parsed.render(contexts.at(context), options), rendering.at("output").get<std::string>());
  }
}

}  // namespace
}  // namespace assay::jinja
