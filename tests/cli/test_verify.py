"""assay verify, bisect and conform."""
import json

import program


class Verify(program.Case):
    def test_machine_and_model(self):
        result = self.json("verify", program.tiny, "--seed", 5)
        self.assertEqual((result["seed"], result["faults"]), (5, 0))
        subjects = [c["subject"] for c in result["checks"]]
        for name in ("decoders", "twin", "generic kernels", "cpu in lockstep"):
            self.assertIn(name, subjects)
        self.assertTrue(all(c["cases"] > 0 or c["skipped"] for c in result["checks"]))

    def test_usage(self):
        self.refused("verify", self.dir / "absent.gguf", says="absent.gguf")
        self.refused("verify", program.tiny, "--mutants", says="give no MODEL")


class Bisect(program.Case):
    def bisect(self, *arguments, status=program.DONE):
        out, _ = self.assay("bisect", *arguments, "--json", status=status)
        return json.loads(out)

    def test_backends(self):
        for a, b in (("cpu", "exact"), ("exact", "twin"), ("cpu", "twin")):
            result = self.bisect(f"{program.tales}@{a}", f"{program.tales}@{b}", "--prompt", "Once upon a time")
            self.assertIsNone(result["first"])
            self.assertGreater(result["operations"], 90)

    def test_fault_is_named_and_saved(self):
        result = self.bisect(program.tales, "--inject", "rope-k-missing", "--tokens", "1,300,400,500", "--save",
                             self.dir / "replay", status=program.FAULT_FOUND)
        first = result["first"]
        self.assertEqual((first["op"], first["name"], first["tokens"]), ("rope", "Kcur-0", [1, 2, 3]))
        self.assertIn(b'"in"', (self.dir / "replay" / "inputs.safetensors").read_bytes()[:4096])

    def test_files(self):
        other = self.dir / "q4.gguf"
        self.assay("quantize", program.tales, other, "Q4_K_M", "--effort", "fast")
        result = self.bisect(program.tales, other, "--tokens", "1,300,400")
        self.assertIsNone(result["first"])
        self.assertIn("differ by what their types explain", result["notes"][0])
        parts = program.GgufParts(other.read_bytes())  # a scale spoiled in the middle of the file
        data = bytearray(parts.data)
        data[len(data) // 2:len(data) // 2 + 20000] = bytes(20000)
        parts.data = bytes(data)
        other.write_bytes(parts.join())
        result = self.bisect(program.tales, other, "--tokens", "1,300,400", status=program.FAULT_FOUND)
        self.assertIn("their types explain", result["first"]["note"])

    def test_dump(self):
        dump = self.dir / "t.safetensors"
        self.assay("trace", program.tales, "--tokens", "1,300,400", "--backend", "cpu", "-o", dump)
        self.assertIsNone(self.bisect(program.tales, dump)["first"])
        self.refused("bisect", program.tales, program.tiny, "--tokens", "1,2", says="do not compute the same")

    def test_usage(self):
        self.refused("bisect", program.tales, says="B")
        self.refused("bisect", program.tales, program.tales, "--tokens", "1", says="name two")
        self.refused("bisect", f"{program.tales}@abacus", program.tales, says="abacus")
        self.refused("bisect", program.tales, "--inject", "no-such-fault", "--tokens", "1", says="not a fault")


class Conform(program.Case):
    def test_answers_are_marked(self):
        self.assay("conform", "export", self.dir)
        manifest = json.loads((self.dir / "manifest.json").read_text())
        for entry in manifest["types"]:
            self.assertEqual((self.dir / entry["blocks"]["file"]).stat().st_size,
                             entry["n_blocks"] * entry["block_bytes"])
            self.assertEqual(sum(f["bytes"] for f in entry["fields"]), entry["block_bytes"])
            self.assay("decode", "--type", entry["name"], self.dir / entry["blocks"]["file"], self.dir / entry["answer"])
        out, _ = self.assay("conform", "check", self.dir, "--json")
        self.assertEqual(json.loads(out)["answered"], len(manifest["types"]))
        answer = self.dir / "Q6_K.answer.f32"
        answer.write_bytes(answer.read_bytes()[:-4] + b"\0\0\x80\x3f")
        out, _ = self.assay("conform", "check", self.dir, "--json", status=program.FAULT_FOUND)
        wrong = [t for t in json.loads(out)["types"] if t["wrong"]]
        self.assertEqual([(t["type"], t["wrong"]) for t in wrong], [("Q6_K", 1)])
        self.file("Q4_K.answer.f32", b"\0" * 7)
        self.refused("conform", "check", self.dir, says="Q4_K.answer.f32")

    def test_usage(self):
        self.refused("conform", "check", self.dir, says="has no export")
        self.refused("conform", "judge", self.dir, says="judge")
