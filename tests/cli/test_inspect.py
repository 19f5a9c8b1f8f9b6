"""assay inspect: files, tensors, blocks."""
import math
import struct

import program

OTHER = program.golden / "models" / "llama-mixed" / "model.gguf"
TENSOR = "blk.0.attn_q.weight"


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


class Inspect(program.Case):
    def test_file(self):
        out, err = self.assay("inspect", program.tiny)
        self.assertEqual(err, "")
        for word in [b"GGUF version 3", b"general.architecture", b"llama", TENSOR.encode(), b"Q4_K", b"bits a weight"]:
            self.assertIn(word, out)
        json = self.json("inspect", program.tiny)
        self.assertEqual(json["n_bytes"], program.tiny.stat().st_size)
        self.assertEqual(len(json["metadata"]["tokenizer.ggml.tokens"]), 400)
        shapes = {t["name"]: t["shape"] for t in json["tensors"]}
        self.assertEqual(shapes[TENSOR], [256, 256])

    def test_tensor(self):
        json = self.json("inspect", program.tiny, "--tensor", TENSOR)
        stats = json["stats"]
        self.assertEqual((stats["n_values"], stats["n_nan"], stats["n_inf"]), (65536, 0, 0))
        self.assertEqual(sum(stats["histogram"]), 65536)
        self.assertLess(stats["min"], stats["mean"])
        self.assertIn(b"#####", self.assay("inspect", program.tiny, "--tensor", TENSOR)[0])

    def test_statistics_equal_the_decoded_values(self):
        described = self.json("inspect", program.tiny, "--tensor", TENSOR)
        tensor, stats = described["tensor"], described["stats"]
        begin = tensor["file_offset"]
        blocks = self.file("blocks", program.tiny.read_bytes()[begin:begin + tensor["n_bytes"]])
        values = program.floats(self.assay("decode", "--type", tensor["type"], blocks, "-")[0])
        mean = math.fsum(values) / len(values)
        self.assertEqual((stats["min"], stats["max"]), (min(values), max(values)))
        self.assertAlmostEqual(stats["mean"], mean, delta=1e-12)
        self.assertAlmostEqual(stats["std"], math.sqrt(math.fsum((v - mean)**2 for v in values) / len(values)),
                               delta=1e-9)

    def test_a_block_taken_apart_is_its_values(self):
        types = {t["type"]: t["name"] for t in self.json("inspect", program.tiny)["tensors"]}
        for name, with_mins in [(types["Q4_K"], True), (types["Q6_K"], False)]:
            json = self.json("inspect", program.tiny, "--tensor", name, "--block", 7)
            self.assertNotIn("stats", json)
            block, (n_rows, n_cols) = json["block"], json["tensor"]["shape"]
            self.assertEqual((block["index"], block["row"], block["col"]), (7, *divmod(7 * 256, n_cols)))
            self.assertEqual("mins" in block, with_mins)
            per_scale = 256 // len(block["scales"])
            for i, value in enumerate(block["values"]):
                w = f32(f32(block["d"] * block["scales"][i // per_scale]) * block["q"][i])
                if with_mins:
                    w = f32(w - f32(block["dmin"] * block["mins"][i // per_scale]))
                self.assertEqual(w, value)
            self.assertIn(b"scale", self.assay("inspect", program.tiny, "--tensor", name, "--block", 7)[0])

    def test_against(self):
        same = self.json("inspect", program.tiny, "--against", program.tiny)
        self.assertGreater(len(same), 10)
        for entry in same:
            d = entry["difference"]
            self.assertEqual((d["n_equal"], d["max_abs"], d["cosine"]), (d["n_values"], 0, 1))
        entry, = self.json("inspect", program.tiny, "--against", OTHER, "--tensor", "output_norm.weight")
        self.assertEqual(entry["difference"]["n_values"], 256)
        self.assertIn(b"cosine", self.assay("inspect", program.tiny, "--against", OTHER)[0])

    def test_refusals(self):
        self.refused("inspect", program.tiny, "--tensor", "blk.0.attn_q.weigth", says=TENSOR)
        self.refused("inspect", program.tiny, "--tensor", TENSOR, "--block", "256", says="256 blocks")
        self.refused("inspect", program.tiny, "--tensor", TENSOR, "--block", "-1")
        self.refused("inspect", program.tiny, "--block", "1")
        self.refused("inspect", program.tiny, "--against", self.dir / "absent")

    def test_text_of_a_file_cannot_command_the_terminal(self):
        parts = program.GgufParts(program.tiny.read_bytes())
        parts.set_string(b"general.name", b"\x1b[2J\x1b]0;x\x07" + "\u202e".encode() + b"\xff")
        parts.set_string(b"wild.\x1b[2Jkey", b"x")
        out, err = self.assay("inspect", self.file("wild.gguf", parts.join()))
        self.assertNotIn(b"\x1b", out)
        self.assertIn(b"\\x1B[2J", out)
        self.json("inspect", self.file("wild.gguf", parts.join()))
