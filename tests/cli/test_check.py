"""assay check: healthy files pass, each kind of damage is named by the check that is for it."""
import json
import struct

import program

BASE = program.golden / "models"


class Check(program.Case):
    def check(self, file, *arguments):
        """Status of the program, and of every check."""
        import subprocess
        done = subprocess.run([program.path, "check", str(file), "--json", *map(str, arguments)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=120)
        self.assertIn(done.returncode, [program.DONE, program.FAULT_FOUND], done.stderr)
        told = json.loads(done.stdout)
        self.assertEqual(done.returncode == program.FAULT_FOUND, told["status"] == "fault")
        return told, {c["name"]: c for c in told["checks"]}

    def faulty(self, name, content, check, says, *arguments):
        told, checks = self.check(self.file(name, content), *arguments)
        self.assertEqual(checks[check]["status"], "fault", checks)
        self.assertIn(says, " ".join(checks[check]["found"]))
        return checks

    def tensor(self, file, name):
        [found] = [t for t in self.json("inspect", file)["tensors"] if t["name"] == name]
        return found

    def test_healthy_files(self):
        import hashlib
        told, checks = self.check(program.tales)
        self.assertEqual(told["status"], "ok", checks)
        self.assertEqual(list(told["sha256"].values()), [hashlib.sha256(program.tales.read_bytes()).hexdigest()])
        self.assertRegex(told["date"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertGreaterEqual(len(checks), 17)
        for model in ["llama-Q4_K_M", "llama-mixed", "qwen3-Q4_K_M"]:
            told, checks = self.check(BASE / model / "model.gguf")
            self.assertNotEqual(told["status"], "fault", checks)
            self.assertEqual(checks["norms"]["status"], "ok")  # qwen3's output_norm lies around 0, as far as +-1.5
        for model in ["gemma2", "mixtral", "gpt2", "longrope"]:
            told, checks = self.check(BASE / "tiny" / f"{model}.gguf")
            self.assertNotEqual(told["status"], "fault", checks)

    def test_damaged_values(self):
        good = program.tiny.read_bytes()
        tensor = self.tensor(program.tiny, "blk.1.ffn_up.weight")
        bad = bytearray(good)
        bad[tensor["file_offset"]:tensor["file_offset"] + 2] = b"\x00\x7e"  # d of the first super-block is NaN
        self.faulty("nan.gguf", bad, "finite", "blk.1.ffn_up.weight: 256 NaN")
        bad = bytearray(good)
        bad[tensor["file_offset"]:tensor["file_offset"] + tensor["n_bytes"]] = bytes(tensor["n_bytes"])
        self.faulty("zero.gguf", bad, "zeros", "blk.1.ffn_up.weight: every value is 0")
        norm = self.tensor(program.tales, "blk.2.ffn_norm.weight")
        bad = bytearray(program.tales.read_bytes())
        at = norm["file_offset"]
        gains = struct.unpack_from("<256f", bad, at)
        struct.pack_into("<256f", bad, at, *[g - 1 for g in gains])
        self.faulty("norm.gguf", bad, "norms", "blk.2.ffn_norm.weight")

    def test_damaged_tokenizer_and_keys(self):
        def changed(key, value, source=program.tales):
            parts = program.GgufParts(source.read_bytes())
            parts.pairs[key] = value
            return parts.join()
        number = lambda n: struct.pack("<II", 4, n)
        text = lambda s: struct.pack("<IQ", 8, len(s)) + s
        self.faulty("eos.gguf", changed(b"tokenizer.ggml.eos_token_id", number(300)), "special tokens", "ordinary token")
        self.faulty("template.gguf", changed(b"tokenizer.chat_template", text(b"{% for m in messages %}")), "chat template", "")
        self.faulty("silent.gguf", changed(b"tokenizer.chat_template", text(b"{{ bos_token }}")), "chat template", "not in what it renders")
        self.faulty("marker.gguf", changed(b"tokenizer.chat_template", text(
            b"{% for m in messages %}{{ m.role }}: {{ m.content }}{{ bos_token }}{% endfor %}")), "chat template", "does not end generation")
        self.faulty("heads.gguf", changed(b"llama.feed_forward_length", number(512)), "model", "ffn")
        self.faulty("base.gguf", changed(b"llama.rope.freq_base", struct.pack("<If", 6, 10.0)), "rope", "base")
        qwen = BASE / "qwen3-Q4_K_M" / "model.gguf"
        self.faulty("pre.gguf", changed(b"tokenizer.ggml.pre", text(b"no-such-model"), qwen), "pre-tokenizer", "no-such-model")
        told, checks = self.check(self.file("type.gguf", changed(b"general.file_type", number(7))))
        self.assertEqual(checks["file type"]["status"], "warning")

    def test_against_the_source(self):
        out = self.dir / "q4.gguf"
        self.assay("quantize", program.tales, out, "Q4_K_M", "--effort", "fast")
        page = self.dir / "check.html"
        told, checks = self.check(out, "--source", program.tales, "-n", 64, "--report", page)
        self.assertEqual([checks[c]["status"] for c in ["weights", "divergence"]], ["ok", "ok"], checks)
        self.assertIn("SHA-256", page.read_text())
        tensor = self.tensor(program.tales, "blk.0.attn_output.weight")
        bad = bytearray(program.tales.read_bytes())
        at, n = tensor["file_offset"], 256
        values = struct.unpack_from(f"<{n * n}H", bad, at)
        struct.pack_into(f"<{n * n}H", bad, at, *[values[i % n * n + i // n] for i in range(n * n)])
        self.faulty("transposed.gguf", bad, "weights", "transposed", "--source", program.tales, "-n", 32)

    def test_no_model_at_all(self):
        told, checks = self.check(self.file("cut.gguf", program.tiny.read_bytes()[:5000]))
        self.assertEqual(list(checks), ["structure"])
        self.refused("check", self.dir / "absent.gguf")
