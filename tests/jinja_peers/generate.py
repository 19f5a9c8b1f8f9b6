"""Small templates made at random from a seed: expressions of known and of wrong types, filters, tests, methods,
statements and white space control."""
import random

CONTEXT = {
    "n": 7,
    "z": 0,
    "neg": -3,
    "x": 2.5,
    "t": True,
    "none_v": None,
    "s": "Hello World",
    "e": "",
    "u": "h\u00e9llo \u4e16\u754c \U0001f642",
    "ws": "  pad\tded \n ",
    "lines": "one\ntwo\n\nthree\n",
    "num": "42",
    "fl": "3.75",
    "html": "<a href='x'>&\"q\"</a>",
    "li": [3, 1, 2],
    "words": ["pear", "Apple", "fig", "apple"],
    "mixed": [1, "a", None, 2.0, True, [1, 2]],
    "empty": [],
    "d": {"b": 2, "a": 1, "C": 3},
    "nested": {"k": {"deep": [1, {"z": "end"}]}, "items": "shadow"},
    "users": [
        {"name": "Bob", "age": 30, "ok": True},
        {"name": "alice", "age": 25, "ok": False},
        {"name": "Carol", "age": 30, "ok": True},
        {"name": "dave", "age": None},
    ],
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi <|im_end|> there"},
        {"role": "assistant", "content": "Hello!", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]},
    ],
}

INTS = ["0", "1", "2", "3", "7", "10", "-1", "-2", "n", "z", "neg", "1_000", "0x1f", "li|length", "s|length", "loopless|int"]
FLOATS = ["0.5", "2.0", "1e3", "1.5e-7", "x", "3.14159", "-0.25", "1e16", "123456789.125", "fl|float"]
STRINGS = ["'a'", "'abc'", '"Hello"', "''", "s", "e", "u", "ws", "lines", "num", "fl", "'a,b,,c'", "'x' 'y'", "html",
           "'%s-%s'", "'%05.2f'", "'{} {}'", "'{0:>5}|{name}'", "'it\\'s'", "'tab\\there\\n'", "'\\u00e9\\x41'", "'ABC def'"]
LISTS = ["li", "words", "mixed", "empty", "[1, 2, 3]", "[]", "(1, 2)", "('a',)", "()", "users", "range(4)", "range(1, 10, 3)",
         "[[1, 2], [3]]", "d.items()|list", "d.keys()|list", "messages", "['b', 'a', 'C']", "range(5, 0, -2)", "[0.1, 2, -1]"]
DICTS = ["d", "nested", "{}", "{'a': 1}", "{'k': [1, 'x'], 2: none}", "dict(a=1, b='q')", "users[0]", "nested.k", "messages[2]"]
ODD = ["none", "true", "false", "t", "none_v", "missing", "missing2", "namespace(a=1).a", "none_v", "users[9]"]

FILTERS = {
    "str": ["upper", "lower", "title", "capitalize", "trim", "length", "wordcount", "int", "float", "list", "reverse", "first",
            "last", "string", "e", "urlencode", "replace('l', 'L')", "replace('a', '-', 1)", "center(12)", "truncate(5)",
            "truncate(7, true)", "truncate(6, false, '..', 0)", "indent", "indent(2, true)", "indent('>> ', blank=true)", "tojson",
            "default('dd')", "d('x', true)", "join('-')", "sort|join", "unique|join", "batch(3)|list", "trim('ab ')",
            "format(1, 2)", "format('p', 'q')", "int(5)", "int(base=16)", "map('upper')|join", "select('in', 'aeiou')|list", "count", "safe",
            "min", "max", "slice(3)|list", "escape", "abs", "round", "sum", "items|list"],
    "num": ["abs", "int", "float", "round", "round(1)", "round(2, 'floor')", "round(method='ceil')", "string", "tojson", "default(1)",
            "round(-1)", "filesizeformat", "filesizeformat(true)", "length", "upper", "trim", "list", "round(3, 'common')"],
    "list": ["length", "first", "last", "join", "join(', ')", "sort", "sort(reverse=true)", "sort(case_sensitive=true)", "unique|list",
             "reverse|list", "list", "max", "min", "sum", "sum(start=10)", "tojson", "tojson(indent=2)", "map('string')|list",
             "map(attribute='name')|list", "map(attribute='age', default=0)|list", "map('upper')|join(' ')", "select|list",
             "reject|list", "select('odd')|list", "reject('none')|list", "select('gt', 1)|list", "selectattr('ok')|list",
             "selectattr('age', 'eq', 30)|map(attribute='name')|join(',')", "rejectattr('ok')|list", "selectattr('role', 'equalto', 'user')|list",
             "groupby('age')", "groupby('ok')|map('first')|list", "groupby('name')|map(attribute='grouper')|join", "batch(2)|list",
             "batch(2, 'fill')|list", "slice(2)|list", "slice(3, 'f')|list", "string", "map('length')|list", "count", "sort(attribute='name')",
             "sort(attribute='age,name')", "map(attribute='0')|list", "first|default('none')", "dictsort", "trim", "join(attribute='name')",
             "map('default', 'q')|list", "map('nosuch')|list", "map('int')|sum", "unique(attribute='age')|list", "max(attribute='name')",
             "min(attribute='age')", "tojson(separators=(',', ':'))", "map('tojson')|join(';')", "map('round')|list", "map('replace', 'a', 'b')|list"],
    "dict": ["length", "items|list", "dictsort", "dictsort(reverse=true)", "dictsort(by='value')", "dictsort(true)", "tojson", "tojson(indent=4)",
             "list", "first", "last", "join(',')", "string", "sort", "xmlattr", "urlencode", "default('q')", "reverse|list", "max", "tojson(sort_keys=true)",
             "map('upper')|list", "tojson(ensure_ascii=true)", "items|map('last')|list", "count", "unique|list", "dictsort(false, 'x')"],
}
FILTERS["odd"] = ["default('D')", "d(3, true)", "string", "tojson", "length", "int", "float", "list", "join", "upper", "first", "last", "abs", "round",
                  "trim", "sum", "sort", "title", "replace('a', 'b')", "items|list", "dictsort", "max", "reverse|list", "urlencode", "wordcount",
                  "e", "map('upper')|list", "select|list", "unique|list", "groupby('x')", "batch(2)|list", "center(5)", "truncate(3)", "indent", "format(1)"]

METHODS = {
    "str": ["upper()", "lower()", "title()", "capitalize()", "strip()", "lstrip()", "rstrip('\\n ')", "strip('Hd')", "split()", "split(',')",
            "split('l', 1)", "rsplit(None, 1)", "rsplit('l', 1)", "splitlines()", "splitlines(true)", "replace('l', 'L')", "replace('l', '', 1)",
            "startswith('He')", "endswith(('d', 'x'))", "find('o')", "rfind('o')", "find('o', 5)", "index('e')", "count('l')", "join(['a', 'b'])",
            "join(words)", "isdigit()", "isalpha()", "isspace()", "isupper()", "islower()", "isalnum()", "istitle()", "zfill(6)", "center(9, '*')",
            "ljust(8)", "rjust(8, '.')", "partition(' ')", "rpartition('l')", "swapcase()", "casefold()", "removeprefix('He')", "removesuffix('d')",
            "format(1, name='n')", "format('q', 2, name=3.5)", "expandtabs(4)", "isidentifier()", "isnumeric()", "isascii()", "isdecimal()",
            "nosuch", "nosuch()", "split(sep='o', maxsplit=1)", "upper(1)", "isprintable()", "startswith('l', 2)", "count('')", "replace('', '-')"],
    "num": ["foo", "is_integer()", "upper()"],
    "list": ["index(2)", "count(1)", "append(1)", "nosuch", "copy()", "0", "index('zz')", "sort()", "insert", "extend([1])", "reverse()"],
    "dict": ["items()", "keys()", "values()", "get('a')", "get('zz', 'dflt')", "get('zz')", "a", "items", "nosuch", "copy()", "update({})", "items()|list",
             "name", "k", "setdefault('a', 1)", "get()"],
    "odd": ["x", "items()", "upper()", "y.z"],
}

TESTS = ["defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "true", "false", "mapping", "iterable", "sequence",
         "odd", "even", "divisibleby(3)", "divisibleby 2", "upper", "lower", "callable", "sameas none", "sameas(true)", "eq 1", "equalto('abc')",
         "ne 2", "lt 5", "gt(1)", "le 3", "ge 0", "in [1, 2, 'a']", "in 'abc'", "in(li)", "filter", "test", "eq(none)", "not none", "not defined",
         "escaped", "lessthan 3", "greaterthan 2.5"]

SUBSCRIPTS = ["[0]", "[-1]", "[1:]", "[:-1]", "[::2]", "[::-1]", "[1:3]", "[99]", "['a']", "['name']", "[-2:]", "[:0]", "[3:1:-1]", "[n]", "['items']",
              "[none]", "[1.0]", "[true]", "[::0]", "[5:2]", "[-100:100]", "['nosuch']", "['upper']", "[-1:-4:-1]", "[x:]", "[:'a']"]

SPACES = ["", " ", "\n", "  \n  ", "\t", "\n\n"]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, options):
        return self.random.choice(options)

    def kind(self):
        return self.pick(["str"] * 5 + ["num"] * 3 + ["list"] * 5 + ["dict"] * 3 + ["odd"])

    def atom(self, kind):
        if kind == "num":
            return self.pick(self.pick([INTS, INTS, FLOATS]))
        return self.pick({"str": STRINGS, "list": LISTS, "dict": DICTS, "odd": ODD}[kind])

    def expression(self, depth=2, kind=None):
        kind = kind or self.kind()
        if depth == 0:
            return self.atom(kind)
        choice = self.random.random()
        if choice < 0.22:
            return self.atom(kind)
        if choice < 0.42:
            return f"{self.operand(depth - 1, kind)}|{self.pick(FILTERS[kind if self.random.random() < 0.93 else self.kind()])}"
        if choice < 0.56:
            return f"{self.operand(depth - 1, kind)}.{self.pick(METHODS[kind])}"
        if choice < 0.64:
            return f"{self.operand(depth - 1, kind)}{self.pick(SUBSCRIPTS)}"
        if choice < 0.72:
            return f"{self.operand(depth - 1, kind)} is {self.pick(TESTS)}"
        return self.compound(depth, kind)

    def operand(self, depth, kind):
        text = self.expression(depth, kind)
        simple = text.replace("_", "").isalnum() or text[0] in "'\"[({" and text in STRINGS + LISTS + DICTS
        return text if simple and " " not in text.strip("'\"") else f"({text})"

    def compound(self, depth, kind):
        choice = self.random.random()
        a, b = self.operand(depth - 1, kind), self.operand(depth - 1, kind if self.random.random() < 0.9 else None)
        if choice < 0.3:
            usual = {"str": ["+", "~", "~", "in", "==", "<"], "num": ["+", "-", "*", "/", "//", "%"], "list": ["+", "~", "in"]}
            anything = ["+", "-", "*", "/", "//", "%", "~"]
            return f"{a} {self.pick(usual.get(kind, ['~', '==']) if self.random.random() < 0.9 else anything)} {b}"
        if choice < 0.34:
            return f"{self.operand(depth - 1, 'num')} ** {self.pick(['2', '3', '0', '-1', '0.5'])}"
        if choice < 0.38:
            return f"{a} * {self.pick(['2', '0', '-1', 'n', 'true'])}" if kind in ("str", "list") else f"{a} == {b}"
        if choice < 0.52:
            return f"{a} {self.pick(['==', '!=', '<', '<=', '>', '>=', 'in', 'not in', '==', '!='])} {b}"
        if choice < 0.57:
            return f"{a} {self.pick(['<', '==', '!='])} {b} {self.pick(['<=', 'in', '>', '!='])} {self.operand(depth - 1, kind)}"
        if choice < 0.7:
            return f"{a} {self.pick(['and', 'or'])} {b}"
        if choice < 0.75:
            return f"not {a}"
        if choice < 0.79:
            return f"{self.pick(['-', '+'])}{self.operand(depth - 1, 'num')}"
        if choice < 0.88:
            return f"{a} if {self.expression(depth - 1)} else {b}"
        if choice < 0.9:
            return f"{a} if {self.expression(depth - 1)}"
        if choice < 0.95:
            return f"[{a}, {b}]"
        return f"{{'p': {a}, 'q': {b}}}"

    def tag(self, inside):
        left, right = self.pick(["", "", "", "-", "+"]), self.pick(["", "", "", "-", "+"])
        return f"{{%{left} {inside} {right}%}}"

    def show(self, inside):
        left, right = self.pick(["", "", "", "-"]), self.pick(["", "", "", "-"])
        return f"{{{{{left} {inside} {right}}}}}"

    def text(self):
        return self.pick(["text", "a\n", "  b", "\n", " ", "x {# note #} y", "{#- c -#}", "\n   {# c #}\n", "", "}}", "%", "{", "\r\n", "end\n\n"])

    def body(self, depth):
        return "".join(self.pick(SPACES) + self.statement(depth) for _ in range(self.random.randint(1, 3)))

    def statement(self, depth=2):
        choice = self.random.random()
        if depth == 0 or choice < 0.2:
            return self.show(self.expression(1))
        if choice < 0.3:
            return self.text()
        if choice < 0.42:
            other = self.tag("else") + self.body(depth - 1) if self.random.random() < 0.5 else ""
            middle = self.tag(f"elif {self.expression(1)}") + self.body(depth - 1) if self.random.random() < 0.3 else ""
            return self.tag(f"if {self.expression(1)}") + self.body(depth - 1) + middle + other + self.tag("endif")
        if choice < 0.62:
            return self.loop(depth)
        if choice < 0.72:
            # No name of the context: Jinja2 leaves one undefined in the inner blocks before an outer block sets it.
            name = self.pick(["v", "w", "n1", "ns.a", "s1"])
            made = self.tag("set ns = namespace(a=0)") if name == "ns.a" else ""
            return made + self.tag(f"set {name} = {self.expression(1)}") + self.show(name)
        if choice < 0.76:
            return self.tag(f"set v{self.pick(['', ' | upper', '|trim|length'])}") + self.body(depth - 1) + self.tag("endset") + self.show("v")
        if choice < 0.84:
            return self.macro(depth)
        if choice < 0.88:
            chain = self.pick(["upper", "trim", "replace('a', 'b')", "indent(2)|upper", "length"])
            return self.tag("filter " + chain) + self.body(depth - 1) + self.tag("endfilter")
        if choice < 0.91:
            return self.tag(f"with v = {self.expression(1)}, w = n") + self.body(depth - 1) + self.show("v") + self.tag("endwith")
        if choice < 0.94:
            return self.tag("raw") + self.pick([" {{ x }} ", "{% if %}", "\n{# #}\n"]) + self.tag("endraw")
        if choice < 0.96:
            return self.tag("generation") + self.body(depth - 1) + self.tag("endgeneration")
        if choice < 0.98:
            return self.tag("set a, b = " + self.pick(["1, 2", "li", "'xy'", "[1, 2]", "(n, s)"])) + self.show("a ~ b")
        return self.pick(["{% if x %}", "{{ x", "{% endfor %}", "{{ }}", "{% set %}", "{{ 1 2 }}", "{{ x|nosuch }}", "{% if false %}{{ x|nosuch }}{% endif %}",
                          "{{ x is nosuch }}", "{% break %}", "{{ f(a=1, a=2) }}", "{{ (1, 2 }}", "{{ 'a }}", "{% nosuch %}", "{{ a.b. }}", "{{ x! }}",
                          "{% for %}", "{% macro m(a, a) %}{% endmacro %}", "{{ [1, 2 }}", "{# open", "{% raw %}", "{{ 1if 1 }}", "{{ x.1 }}", "{{ 007 }}"])

    def loop(self, depth):
        target, source = self.pick([("i", self.operand(1, "list")), ("i", self.operand(1, "list")), ("i", self.operand(1, "str")),
                                    ("k, v", "d.items()"), ("k, v", "nested|items"), ("i", "users"), ("i", "range(3)"), ("m", "messages"),
                                    ("k", self.operand(0, "dict")), ("i", self.operand(1, None) if False else self.operand(1, "odd"))])
        condition = self.pick(["", "", "", " if " + self.pick(["i", "i is defined", "k", "loop is undefined", "i != 1", "m.role == 'user'"])])
        info = self.pick(["loop.index", "loop.index0", "loop.first", "loop.last", "loop.length", "loop.revindex", "loop.revindex0", "loop.previtem", "loop.nextitem",
                          "loop.cycle('a', 'b')", "loop.changed(i)", "loop.depth", "i", "k", "v", "m.role", "i.name", "loop.nosuch", "loop.previtem is defined",
                          "loop.depth0", "loop.changed(i|string|length)"])
        control = self.pick(["", "", "", self.tag("if loop.index == 2") + self.tag(self.pick(["break", "continue"])) + self.tag("endif")])
        inner = self.body(depth - 1) if self.random.random() < 0.4 else ""
        other = self.tag("else") + self.body(depth - 1) if self.random.random() < 0.3 else ""
        after = self.show(self.pick(["i", "loop", "v", "n"])) if self.random.random() < 0.2 else ""
        return (self.tag(f"for {target} in {source}{condition}") + self.pick(SPACES) + self.show(info) + control + inner
                + self.pick(SPACES) + other + self.tag("endfor") + after)

    def macro(self, depth):
        signature, calls = self.pick([("a", ["m(1)", "m()", "m(a='q')", "m(1, 2)", "m(b=1)"]), ("a, b=2", ["m(1)", "m(1, b=3)", "m(b=1)", "m(1, 2, 3)", "m(*li)"]),
                                      ("a=n, b=a", ["m()", "m(5)", "m(b=0)", "m(**{'a': 1})", "m(a=1, a=2)"]), ("", ["m()", "m(1)", "m"])])
        inside = self.pick(["{{ a }}", "{{ a }}-{{ b }}", "{{ varargs }}", "{{ kwargs }}", "{{ caller() }}", "[{{ caller(1) }}]", "{{ s }}", "{{ later }}", "{{ m.name }}"])
        use = self.pick(self.pick([calls]))
        call = self.show(use) if self.random.random() < 0.7 or use == "m" else self.tag(f"call{self.pick(['', '(c)'])} {use}") + self.pick(["body", "{{ c }}", "{{ n }}"]) + self.tag("endcall")
        return self.tag(f"macro m({signature})") + inside + self.tag("endmacro") + self.pick(["", self.tag("set later = 'L'")]) + call


def corpus(seed, n_expressions, n_statements):
    """Requests in the form of driver.cpp."""
    generator = Generator(seed)
    for _ in range(n_expressions):
        yield {"template": "{{ " + generator.expression(generator.pick([1, 2, 2, 3])) + " }}", "context": CONTEXT}
    for _ in range(n_statements):
        yield {"template": generator.body(2), "context": CONTEXT}
