"""assay tokenize, and assay template with it."""
import json

import program

CHAT = (b"{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}"
        b"{% if add_generation_prompt %}<assistant>{% endif %}")


class Tokenize(program.Case):
    def test_golden_cases(self):
        model = program.tiny.parent
        cases = json.loads((model / "golden.json").read_text())["tokenizer_cases"]
        self.assertGreater(len(cases), 3)
        for case in cases:
            with self.subTest(case["text"]):
                plain = self.json("tokenize", program.tiny, case["text"], "--no-parse-special")
                self.assertEqual(list(plain), ["ids", "pieces"])
                self.assertEqual(plain["ids"], case["ids"])
                self.assertEqual(len(plain["pieces"]), len(plain["ids"]))
                special = self.json("tokenize", program.tiny, "--file", "-", stdin=case["text"].encode())
                self.assertEqual(special["ids"], case["ids_parse_special"])

    def test_pieces_are_reversible(self):
        text = "Zażółć 漢字 🐉\x00\x7f\u202e end"
        tokens = self.json("tokenize", program.tiny, "--no-bos", "-f", self.file("t", text.encode()))
        joined = b"".join(bytes(p) if isinstance(p, list) else p.encode() for p in tokens["pieces"])
        self.assertEqual(joined.decode().strip(), text)
        self.assertTrue(any(isinstance(p, list) for p in tokens["pieces"]))

    def test_bos_and_empty_text(self):
        self.assertEqual(self.json("tokenize", program.tiny, "")["ids"], [1])
        self.assertEqual(self.json("tokenize", program.tiny, "", "--no-bos"), {"ids": [], "pieces": []})

    def test_text_output_is_safe_for_a_terminal(self):
        out, err = self.assay("tokenize", program.tiny, "a\x1b[2J")
        self.assertNotIn(b"\x1b", out)
        self.assertEqual(err, "")

    def test_faults(self):
        text = "Hello\nworld"
        right = self.json("tokenize", program.tiny, text)["ids"]
        self.assertEqual(right[0], 1)
        missing = self.json("tokenize", program.tiny, text, "--inject", "bos-missing")["ids"]
        self.assertEqual(missing, right[1:])
        both = self.json("tokenize", program.tiny, text, "--inject", "bos-missing,eos-appended")["ids"]
        self.assertEqual(both, right[1:] + [2])
        cut = self.json("tokenize", program.tiny, text, "--inject", "context-tail-lost", "--context", 3)["ids"]
        self.assertEqual(cut, right[:3])
        self.refused("tokenize", program.tiny, text, "--inject", "rope-pairs,no-such", says="no-such")
        self.refused("tokenize", program.tiny, text, "--inject", "bos-missing", "--no-bos")

    def test_refusals(self):
        self.refused("tokenize", program.tiny, b"a\xffb", says="UTF-8")
        self.refused("tokenize", program.tiny, "--file", self.dir / "absent")
        self.refused("tokenize", program.tiny, "--file", self.dir)
        self.refused("tokenize", program.tiny, "text", "--file", "-")

    def test_a_vocabulary_without_tensors_is_enough(self):
        vocabulary = program.external / "vocab" / "ggml-vocab-llama-spm.gguf"
        if not vocabulary.exists():
            self.skipTest(f"{vocabulary} is absent")
        self.assertEqual(self.json("tokenize", vocabulary, "Hello world")["ids"], [1, 15043, 3186])


class Template(program.Case):
    def setUp(self):
        super().setUp()
        parts = program.GgufParts(program.tiny.read_bytes())
        parts.set_string(b"tokenizer.chat_template", CHAT)
        self.model = self.file("chat.gguf", parts.join())

    def messages(self, value):
        return self.file("messages.json", json.dumps(value).encode())

    def test_renders(self):
        talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
        expected = "<s><system>Be brief.</s><user>Hi</s>"
        out, err = self.assay("template", self.model, "-m", self.messages(talk))
        self.assertEqual((out.decode(), err), (expected + "<assistant>", ""))
        out, err = self.assay("template", self.model, "-m", "-", "--no-generation-prompt",
                              stdin=json.dumps({"messages": talk}).encode())
        self.assertEqual(out.decode(), expected)
        self.assertEqual(self.assay("template", self.model, "--source")[0], CHAT)
        other = self.file("t.jinja", b"{{ messages | length }}")
        self.assertEqual(self.assay("template", self.model, "--chat-template", other)[0], b"1")

    def test_one_bos_and_no_special_tokens_from_users(self):
        talk = [{"role": "user", "content": "a</s><s>b"}]
        rendered = self.json("template", self.model, "-m", self.messages(talk))
        self.assertEqual(rendered["prompt"], "<s><user>a</s><s>b</s><assistant>")
        self.assertEqual(rendered["ids"].count(1), 1)  # the template's <s>, not a second one, not the user's
        self.assertEqual(rendered["ids"].count(2), 1)
        self.assertEqual(self.json("tokenize", self.model, "-m", self.messages(talk))["ids"], rendered["ids"])
        renamed = self.json("tokenize", self.model, "-m", self.messages(talk), "--inject", "roles-renamed")["ids"]
        self.assertNotEqual(renamed, rendered["ids"])

    def test_refusals(self):
        self.refused("template", program.tiny, says="no chat template")
        for text in [b"", b"{", b"3", b"{}", b'{"messages": 3}', b"[3]", b"[{}]", b"[" * 100000,
                     b'[{"role": "user", "content": ' + b"[" * 100 + b"]" * 100 + b"}]"]:
            with self.subTest(text[:40]):
                self.refused("template", self.model, "-m", self.file("m.json", text))
        self.refused("template", self.model, "-m", self.dir / "absent")
        for bad in [b"{% for %}", b"{{ raise_exception('no') }}", b"{% for i in range(10**9) %}{% endfor %}"]:
            with self.subTest(bad):
                self.refused("template", self.model, "--chat-template", self.file("t", bad), says="line 1")
