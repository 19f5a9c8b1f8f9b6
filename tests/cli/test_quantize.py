"""assay quantize."""
import math
import struct

import program


def imatrix_dat(tensors):
    """llama.cpp's older format, made by hand: every column of the blocks' weights alike."""
    parts = []
    for t in tensors:
        if t["name"].startswith("blk.") and "norm" not in t["name"]:
            name, n = t["name"].encode(), t["shape"][-1]
            parts.append(struct.pack("<i", len(name)) + name + struct.pack("<ii", 1, n) + struct.pack("<f", 1) * n)
    return struct.pack("<i", len(parts)) + b"".join(parts) + struct.pack("<ii", 3, 5) + b"t.txt"


class Quantize(program.Case):
    def setUp(self):
        super().setUp()
        self.out = self.dir / "out.gguf"
        self.tensors = self.json("inspect", program.tales)["tensors"]

    def types(self, path=None):
        return {t["name"]: t["type"] for t in self.json("inspect", path or self.out)["tensors"]}

    def test_every_type_runs(self):
        imatrix = self.file("i.dat", imatrix_dat(self.tensors))
        out, _ = self.assay("quantize", "--help")
        names = out.decode().split("Type of the file:")[1].split("Options:")[0].split()
        self.assertGreater(len(names), 30)
        sizes = []
        for name in names:
            result = self.json("quantize", program.tales, self.out, name, "--imatrix", imatrix, "--effort", "fast")
            sizes.append(self.out.stat().st_size)
            self.assertEqual(self.types(), {t["name"]: t["to"] for t in result["tensors"]})
            logits = self.dir / "logits.f32"
            self.assay("logits", self.out, "--tokens", "1,300,400,500", "--output", logits)
            values = program.floats(logits.read_bytes())
            self.assertTrue(all(map(math.isfinite, values)), name)
            self.assertGreater(max(values), min(values), name)
        self.assertEqual(max(sizes), sizes[-1])  # F32

    def test_dry_run_says_what_the_run_does(self):
        for arguments in ((program.tales, self.out, "Q4_K_M"), (program.tales, "q4_k_m")):
            plan = self.json("quantize", *arguments, "--dry-run")
            self.assertFalse(self.out.exists())
        done = self.json("quantize", program.tales, self.out, "Q4_K_M")
        for row in done["tensors"]:
            row.pop("relative_error", None)
        self.assertEqual(plan["tensors"], done["tensors"])
        self.assertEqual(plan["bytes_after"], done["bytes_after"])
        self.assertLess(0, self.out.stat().st_size - done["bytes_after"])
        table, err = self.assay("quantize", program.tales, "Q2_K_S", "--dry-run")
        self.assertIn(b"needs an importance matrix", table)
        self.assertIn(b"bits per weight", table)
        self.assertEqual(err, "")

    def test_options_choose_types(self):
        self.assay("quantize", program.tales, self.out, "Q4_K_M", "--output-tensor-type", "q8_0", "--token-embedding-type", "F16",
                   "--tensor-type", r"blk\.[0-2]\.ffn=Q3_K", "--tensor-type", "ffn_down=Q5_0")
        types = self.types()
        self.assertEqual(types["output.weight"], "Q8_0")
        self.assertEqual(types["token_embd.weight"], "F16")
        self.assertEqual(types["blk.1.ffn_down.weight"], "Q3_K")
        self.assertEqual(types["blk.3.ffn_down.weight"], "Q5_0")
        self.assay("quantize", program.tales, self.out, "Q4_K_M", "--pure", "--leave-output-tensor")
        types = {name: t for name, t in self.types().items() if t != "F32"}
        self.assertEqual(types.pop("output.weight"), "F16")
        self.assertEqual(set(types.values()), {"Q4_K"})

    def test_importance_is_used_and_recorded(self):
        imatrix = self.file("i.dat", imatrix_dat(self.tensors))
        self.assay("quantize", program.tales, self.out, "IQ2_XS", "--imatrix", imatrix)
        metadata = self.json("inspect", self.out)["metadata"]
        self.assertEqual(metadata["quantize.imatrix.file"], str(imatrix))
        self.assertEqual(metadata["quantize.imatrix.dataset"], "t.txt")
        self.assertEqual(metadata["quantize.imatrix.entries_count"], 42)
        self.assertEqual(metadata["quantize.imatrix.chunks_count"], 3)
        self.assertEqual(metadata["general.file_type"], 20)

    def test_threads_and_terminal_do_not_show(self):
        contents = set()
        for n in (1, 2, 7):
            _, err = self.assay("quantize", program.tales, self.out, "Q5_K_M", "-t", n)
            self.assertEqual(err, "")  # no progress without a terminal
            contents.add(self.out.read_bytes())
        self.assertEqual(len(contents), 1)

    def test_refusals(self):
        self.refused("quantize", program.tales, self.out, "Q4_2", says="is not a type of file; there are")
        self.refused("quantize", program.tales, self.out, says="TYPE is missing")
        self.refused("quantize", program.tales, self.out, "IQ1_S", says="needs an importance matrix (--imatrix")
        self.refused("quantize", program.tiny, self.out, "Q5_K_M", says="--allow-requantize")
        self.refused("quantize", program.tales, self.out, "Q8_0", "--tensor-type", "x=Q9", says="is not a type")
        self.refused("quantize", program.tales, self.out, "Q8_0", "--imatrix", program.tales, says="general.type")
        self.refused("quantize", program.tales, self.out, "Q8_0", "--imatrix", self.file("e", b""), says="number of entries")
        copy = self.file("in.gguf", program.tales.read_bytes())
        self.refused("quantize", copy, copy, "Q8_0", says="is the input")
        self.assertEqual(copy.read_bytes(), program.tales.read_bytes())
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()), ["e", "in.gguf"])

    def test_summary(self):
        out, _ = self.assay("quantize", program.tales, self.out, "Q4_K_M")
        for piece in (b"relative RMS error", b"16.01 -> 4.87 bits per weight", b"MB/s of input"):
            self.assertIn(piece, out)
