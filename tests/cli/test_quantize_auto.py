"""assay quantize --auto: better than the standard mix of the same size, on text that it was not measured with."""
import program

SAMPLE = program.source / "models" / "tales-sample.txt"


class QuantizeAuto(program.Case):
    def beats(self, model, mix):
        """The chosen file has the mix's size at most, and a KL of less than 0.85 times the mix's."""
        lines = SAMPLE.read_text().split("\n")
        seen = self.file("seen.txt", "\n".join(lines[::2]).encode())
        unseen = self.file("unseen.txt", "\n".join(lines[1::2]).encode())
        standard, chosen = self.dir / f"{mix}.gguf", self.dir / f"auto-{mix}.gguf"
        self.assay("quantize", model, standard, mix)
        size = standard.stat().st_size
        told = self.json("quantize", model, chosen, "--auto", size, "--text", seen, "--chunks", 4)
        self.assertLessEqual(chosen.stat().st_size, size)
        self.assertGreater(chosen.stat().st_size, 0.95 * size)
        self.assertGreater(told["kl"][0], 0)
        both = self.json("perplexity", model, unseen, "-c", 256, "--chunks", 16, "--compare", standard, chosen)["files"]
        self.assertLess(both[1]["kl"][0], 0.85 * both[0]["kl"][0])

    def test_beats_the_standard_mixes(self):
        for mix in ["Q3_K_M", "Q4_K_M"]:
            self.beats(program.tales, mix)

    def test_beats_the_standard_mix_on_another_model(self):
        random = self.dir / "random.gguf"
        self.assay("bench", "--synthetic", "small:f16", "--keep", random, "-p", 0, "-n", 0, "-r", 1)
        self.beats(random, "Q4_K_M")

    def test_other_budgets(self):
        out = self.dir / "out.gguf"
        bits = self.json("quantize", program.tales, out, "--auto", "4.5bpw", "--text", SAMPLE, "--chunks", 2)
        self.assertTrue(4.3 < bits["bits_per_weight"] <= 4.5)
        target = self.json("quantize", program.tales, out, "--auto", "kl=0.01", "--text", SAMPLE, "--chunks", 4)
        self.assertTrue(0.005 < target["kl"][0] <= 0.01)
        # The KL that it says is the KL of the file.
        told = self.json("quantize", program.tales, out, "--auto", "5bpw", "--text", SAMPLE, "--chunks", 2, "--effort", "fast")
        found = self.json("perplexity", program.tales, SAMPLE, "-c", 256, "--chunks", 2, "--compare", out)["files"][0]
        self.assertAlmostEqual(found["kl"][0], told["kl"][0], 9)
        self.assertEqual(self.json("quantize", program.tales, self.dir / "no.gguf", "--auto", "5bpw", "--text", SAMPLE,
                                   "--chunks", 2, "--dry-run", "-t", 1)["tensors"][0]["to"], told["tensors"][0]["to"])
        self.assertFalse((self.dir / "no.gguf").exists())

    def test_refusals(self):
        out = self.dir / "out.gguf"
        for budget in ["", "0", "-1", "x", "4.5", "nan", "kl=", "kl=0", "4bits", "kl=1MB", "1e99"]:
            self.refused("quantize", program.tales, out, "--auto", budget, "--text", SAMPLE)
        self.refused("quantize", program.tales, out, "--auto", "4bpw", says="--text")
        self.refused("quantize", program.tales, out, "Q4_K", "--auto", "4bpw", "--text", SAMPLE, says="TYPE")
        self.refused("quantize", program.tales, out, "Q4_K", "--text", SAMPLE)
        self.refused("quantize", program.tales, out, "--auto", "1bpw", "--text", SAMPLE, says="smallest")
        self.refused("quantize", program.tales, out, "--auto", "4bpw", "--text", self.file("short", b"a word"), says="two chunks")
        # A NaN that the text never meets: in the embedding of a token that it has not.
        [embedding] = [t for t in self.json("inspect", program.tales)["tensors"] if t["name"] == "token_embd.weight"]
        bad = bytearray(program.tales.read_bytes())
        at = embedding["file_offset"] + 2 * (5 * 256 + 3)
        bad[at:at + 2] = b"\x00\x7e"
        self.refused("quantize", self.file("nan.gguf", bad), out, "--auto", "4bpw", "--text", SAMPLE, "--chunks", 2,
                     says="token_embd.weight, row 5, column 3")
        self.assertFalse(out.exists())
