"""assay compare: healthy files are not accused, damaged ones are named, small evidence is called small."""
import json
import struct

import program

QUICK = ["-n", 64, "--draws", 8, "--greedy", 8]


class Compare(program.Case):
    def quantized(self, *types):
        files = []
        for kind in types:
            files.append(self.dir / f"tales-{kind}.gguf")
            self.assay("quantize", program.tales, files[-1], kind, "--effort", "fast")
        return files

    def compare(self, *arguments, status=program.DONE):
        out, _ = self.assay("compare", *arguments, "--json", status=status)
        return json.loads(out)

    def tensor(self, file, name):
        [found] = [t for t in self.json("inspect", file)["tensors"] if t["name"] == name]
        return found

    def test_healthy_files_of_many_types(self):
        files = self.quantized("Q8_0", "Q5_0", "Q4_K_M", "IQ4_XS", "Q2_K")
        told = self.compare(program.tales, *files, *QUICK)
        self.assertEqual([row["verdict"] for row in told["rows"]][0], "ok")
        for row in told["rows"]:
            self.assertIn(row["verdict"], ["ok", "expected noise"], row["reason"])
            self.assertEqual([t for t in row["tensors"] if "fault" in t], [])
        kl = [row["kl"] for row in told["rows"]]
        self.assertEqual(kl[0], 0)
        self.assertTrue(0 < kl[1] < kl[3] < kl[5])  # F16, Q8_0, Q4_K_M, Q2_K
        # The same text, the same draws, the same verdicts on one thread.
        again = self.compare(program.tales, *files, *QUICK, "-t", 1)
        self.assertEqual([row["kl"] for row in again["rows"]], kl)
        self.assertEqual([row["p"] for row in again["rows"]], [row["p"] for row in told["rows"]])

    def test_golden_files_of_llama_cpp(self):
        anchor = program.external / "models" / "llama-F16" / "model.gguf"
        if not anchor.exists():
            self.skipTest(f"llama.cpp's own quantized files of one model are not here: {anchor}")
        others = [anchor.parent.parent / f"llama-{kind}" / "model.gguf" for kind in ["Q8_0", "Q6_K", "Q4_K_M"]]
        told = self.compare(anchor, *others, *QUICK)
        for row in told["rows"]:
            self.assertIn(row["verdict"], ["ok", "expected noise"], row["reason"])

    def test_damage_is_a_fault_and_named(self):
        [file] = self.quantized("Q4_K_M")
        tensor = self.tensor(file, "blk.3.ffn_up.weight")
        bad = bytearray(file.read_bytes())
        at = tensor["file_offset"] + 144 * 100
        bad[at + 16:at + 144] = bytes(reversed(bad[at + 16:at + 144]))  # the codes of one super-block backwards
        told = self.compare(self.file("block.gguf", bad), "--anchor", program.tales, *QUICK, status=program.FAULT_FOUND)
        self.assertEqual(told["rows"][0]["verdict"], "fault")
        self.assertIn("blk.3.ffn_up.weight: 1 of 768 stretches", told["rows"][0]["reason"])
        self.assertIn("row 100, column 0", told["rows"][0]["reason"])

        tensor = self.tensor(program.tales, "blk.2.attn_q.weight")
        bad = bytearray(program.tales.read_bytes())
        at, n = tensor["file_offset"], 256
        values = struct.unpack_from(f"<{n * n}H", bad, at)
        struct.pack_into(f"<{n * n}H", bad, at, *[values[i % n * n + i // n] for i in range(n * n)])
        told = self.compare(self.file("transposed.gguf", bad), "--anchor", program.tales, *QUICK, status=program.FAULT_FOUND)
        self.assertIn("blk.2.attn_q.weight", told["rows"][0]["reason"])
        self.assertIn("transposed", told["rows"][0]["reason"])

    def test_other_hyperparameters_and_tokens_are_faults(self):
        parts = program.GgufParts(program.tales.read_bytes())
        parts.pairs[b"llama.rope.freq_base"] = struct.pack("<If", 6, 500000.0)
        told = self.compare(self.file("base.gguf", parts.join()), "--anchor", program.tales, *QUICK, status=program.FAULT_FOUND)
        self.assertIn("rope.freq_base is 500000 where the anchor has 10000", told["rows"][0]["reason"])
        parts = program.GgufParts(program.tales.read_bytes())
        parts.pairs[b"tokenizer.ggml.add_space_prefix"] = struct.pack("<IB", 7, 0)
        told = self.compare(self.file("prefix.gguf", parts.join()), "--anchor", program.tales, *QUICK, status=program.FAULT_FOUND)
        self.assertTrue(told["rows"][0]["reason"].startswith("tokens: "), told["rows"][0]["reason"])

    def test_backends_and_faults(self):
        [file] = self.quantized("Q6_K")
        told = self.compare(file, "--anchor", program.tales, "--backend", "exact,cpu", *QUICK)
        self.assertEqual([row["engine"] for row in told["rows"]], ["exact", "cpu"])
        self.assertIn("bit for bit", told["rows"][1]["arithmetic"])
        for row in told["rows"]:
            self.assertIn(row["verdict"], ["ok", "expected noise"], row["reason"])
        for fault in ["rope-missing", "square-transposed"]:
            told = self.compare(file, "--anchor", program.tales, "--inject", fault, *QUICK, status=program.FAULT_FOUND)
            self.assertTrue(told["rows"][0]["reason"].startswith("logits: "), told["rows"][0]["reason"])

    def test_too_little_to_judge(self):
        [file] = self.quantized("Q8_0")
        told = self.compare(program.tales, file, "-p", "1", "--greedy", 4)
        self.assertEqual([row["verdict"] for row in told["rows"]], ["ok", "not enough data"])
        self.assertIn("tokens", told["rows"][1]["reason"])
        self.assertEqual(told["rows"][0]["top"]["id"], told["rows"][1]["top"]["id"])

    def test_report_and_table(self):
        [file] = self.quantized("Q2_K")
        page = self.dir / "report.html"
        out, err = self.assay("compare", program.tales, file, *QUICK, "--report", page)
        self.assertIn(b"verdict", out)
        self.assertIn("Q2_K", page.read_text())
        self.assertNotIn("http:", page.read_text())
        self.assertNotIn("https:", page.read_text())
        self.assertEqual(err, "")

    def test_refusals(self):
        self.refused("compare", says="MODEL")
        self.refused("compare", self.dir / "absent.gguf")
        self.refused("compare", program.tales, "--backend", "tpu", says="tpu")
        self.refused("compare", program.tales, "--inject", "no-such-fault", says="no-such-fault")
        self.refused("compare", program.tales, "--inject", "rope-missing", "--backend", "cpu", says="exact")
        self.refused("compare", program.tales, "--text", self.file("empty", b""), says="no tokens")
        self.refused("compare", program.tales, "-p", "a", "--text", "b")
