"""assay perplexity: the figures of llama.cpp, files of base logits, the comparison and its picture."""
import json
import re
import xml.etree.ElementTree

import program

SAMPLE = program.source / "models" / "tales-sample.txt"
REFERENCE = program.external.parent / "model"


class Perplexity(program.Case):
    def quantized(self, kind):
        target = self.dir / f"{kind}.gguf"
        self.assay("quantize", program.tales, target, kind)
        return target

    def test_llama_cpps_figures(self):
        """reference.json has what llama.cpp's tool printed for this model and text."""
        if not (REFERENCE / "heldout.txt").exists():
            self.skipTest(f"no {REFERENCE}/heldout.txt (ASSAY_GOLDEN_DIR names the folder beside it)")
        reference = json.loads((REFERENCE / "reference.json").read_text())
        result = self.json("perplexity", program.tales, REFERENCE / "heldout.txt", "-c", 256)
        value, error = result["perplexity"]
        expected, expected_error = reference["F16"]["perplexity"]
        self.assertLess(abs(value / expected - 1), 1e-3)
        self.assertLess(abs(error / expected_error - 1), 1e-2)
        # Our files of these types are at least as near to the model as llama.cpp's, whose size they have.
        kinds = ["Q8_0", "Q4_K_M"]
        files = [self.quantized(kind) for kind in kinds]
        told = self.json("perplexity", program.tales, REFERENCE / "heldout.txt", "-c", 256, "--compare", *files)
        for kind, one in zip(kinds, told["files"]):
            theirs = reference["types"][kind]
            self.assertEqual(one["bytes"], theirs["bytes"])
            self.assertLessEqual(one["kl"][0], theirs["mean_kl"][0])

    def test_base_file_and_comparison_agree_to_the_last_bit(self):
        base, file = self.dir / "base.kl", self.quantized("Q4_0")
        shared = [SAMPLE, "-c", 128, "--chunks", 4]
        alone = self.json("perplexity", program.tales, *shared)
        written = self.json("perplexity", program.tales, *shared, "--write-kl-base", base)
        self.assertEqual(alone, written)
        from_file = self.json("perplexity", file, "--kl-base", base, "-t", 1)
        self.assertEqual(self.json("perplexity", file, SAMPLE, "--kl-base", base, "--batch", 7), from_file)
        compared = self.json("perplexity", program.tales, *shared, "--compare", file, program.tales)
        self.assertEqual(compared["base"]["perplexity"], alone["perplexity"])
        for key in ["perplexity", "kl", "kl_percentiles", "same_top1", "delta_p"]:
            self.assertEqual(compared["files"][0][key], from_file[key])
        self.assertEqual(compared["files"][1]["kl"], [0, 0])
        self.assertEqual(compared["files"][1]["same_top1"], [1, 0])
        self.assertGreater(from_file["kl"][0], 1e-3)
        self.assertGreater(from_file["kl"][1], 0)

    def test_words(self):
        out = self.assay("perplexity", program.tales, SAMPLE, "-c", 64, "--chunks", 2)[0].decode()
        self.assertRegex(out, r"^perplexity \d+\.\d+ ± \d+\.\d+  \(62 tokens scored, 2 chunks of 64\)\n$")
        files = [self.quantized("Q8_0"), self.quantized("Q2_K")]
        for name in ["plot.svg", "plot.html"]:
            out = self.assay("perplexity", program.tales, SAMPLE, "-c", 64, "--chunks", 2, "--compare", *files, "--plot",
                             self.dir / name)[0].decode()
            self.assertEqual(len(out.splitlines()), 4)
            picture = re.search("<svg.*</svg>", (self.dir / name).read_text(), re.DOTALL).group()
            texts = [e.text for e in xml.etree.ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]
            self.assertIn("Q8_0", texts)
            self.assertIn("Q2_K", texts)
            self.assertNotIn("http", picture.replace("http://www.w3.org/2000/svg", ""))

    def test_refusals(self):
        tales, base = program.tales, self.dir / "base.kl"
        short = self.file("short.txt", b"A few words.")
        self.refused("perplexity", tales, says="TEXT")
        self.refused("perplexity", tales, short, says="two chunks")
        self.refused("perplexity", tales, self.file("bad.txt", b"word " * 2000 + b"\xff"), says="UTF-8")
        self.refused("perplexity", tales, self.dir / "absent", says="No such file")
        self.refused("perplexity", tales, SAMPLE, "-c", 3)
        self.refused("perplexity", tales, SAMPLE, "--chunks", 0)
        self.refused("perplexity", tales, "--kl-base", tales, says="kl_base")
        self.refused("perplexity", tales, "--kl-base", SAMPLE)
        self.refused("perplexity", tales, SAMPLE, "--plot", "x.svg")
        self.refused("perplexity", tales, SAMPLE, "--kl-base", base, "--write-kl-base", base)
        self.refused("perplexity", tales, SAMPLE, "-c", 64, "--compare", program.tiny, says="vocabulary")
        self.assay("perplexity", tales, SAMPLE, "-c", 64, "--chunks", 2, "--write-kl-base", base)
        self.refused("perplexity", tales, short, "--kl-base", base, says="two chunks")
        other = self.file("other.txt", b"word " * 2000)
        self.refused("perplexity", tales, other, "--kl-base", base, says="another text")
        self.refused("perplexity", program.tiny, "--kl-base", base)
        whole = base.read_bytes()
        for n in [0, 4, 100, len(whole) // 2, len(whole) - 1]:
            self.refused("perplexity", tales, "--kl-base", self.file("cut", whole[:n]))
        self.refused("perplexity", tales, SAMPLE, "-c", 64, "--chunks", 2, "--write-kl-base", self.dir / "no" / "base",
                     status=program.MACHINE_CANNOT)
