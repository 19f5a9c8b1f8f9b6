"""assay logits and assay trace: numbers of whole forward passes."""
import json
import struct

import program

GOLDEN = json.loads((program.tiny.parent / "golden.json").read_text())
SEQUENCES, VOCABULARY = GOLDEN["sequences"], GOLDEN["n_vocab"]


def tokens(ids):
    return ",".join(map(str, ids))


class Logits(program.Case):
    def logits(self, ids, *options):
        out = self.dir / "logits.f32"
        printed, err = self.assay("logits", program.tiny, "--tokens", tokens(ids), "-o", out, *options)
        self.assertEqual((printed, err), (b"", ""))
        content = out.read_bytes()
        self.assertEqual(len(content), len(ids) * VOCABULARY * 4)
        return content

    def test_exact_is_the_golden_answer(self):
        golden = program.floats((program.tiny.parent / "logits_f32w.f32").read_bytes())
        ours = program.floats(b"".join(self.logits(ids, "--backend", "exact") for ids in SEQUENCES[:2]))
        self.assertLess(max(abs(a - b) for a, b in zip(ours, golden)), 2e-4)

    def test_one_file_one_answer(self):
        for kv in ["f32", "q8_0"]:
            expected = self.logits(SEQUENCES[1], "--kv", kv, "--backend", "twin", "-t", 1)
            for options in [["--backend", "cpu"], ["-t", 1], ["-t", 2], ["-t", 2, "--batch", 1], ["--batch", 7],
                            ["--backend", "twin", "-t", 2, "--batch", 5]]:
                with self.subTest(kv=kv, options=options):
                    self.assertEqual(self.logits(SEQUENCES[1], "--kv", kv, *options), expected)

    def test_kv_type_matters(self):
        f32, f16, q8_0 = (self.logits(SEQUENCES[0], "--kv", kv) for kv in ["f32", "f16", "q8_0"])
        self.assertEqual(f32, self.logits(SEQUENCES[0]))
        self.assertEqual(len({f32, f16, q8_0}), 3)

    def test_kv_q8_0_needs_heads_in_groups_of_32(self):
        heads_of_16 = program.golden / "models" / "tiny" / "gemma2.gguf"
        self.refused("run", heads_of_16, "a", "--kv", "q8_0", says="groups of 32 numbers, this model's have 16")

    def test_refusals(self):
        out = self.dir / "out"
        for bad in ["", ",", "1,", "1,,2", "a", "1 2", "-1", "1.5", "0x1", VOCABULARY, "1," + "9" * 30, "2147483648"]:
            for command in ["logits", "trace"]:
                with self.subTest(command=command, tokens=bad):
                    option = [f"--tokens={bad}"] if bad else ["--tokens", ""]
                    self.refused(command, program.tiny, *option, "-o", out, says="--tokens")
        good = ["logits", program.tiny, "--tokens", "1"]
        self.refused(*good)
        self.refused(*good, "-o", self.dir)
        self.refused(*good, "-o", self.dir / "no" / "out", status=program.MACHINE_CANNOT)
        for bad in [["--backend", "gpu"], ["--kv", "q3"], ["-t", "0"], ["-t", "-1"], ["-t", "x"], ["--batch", "0"]]:
            with self.subTest(bad):
                self.refused(*good, "-o", out, *bad)
        self.assertEqual(list(self.dir.iterdir()), [])


class Trace(program.Case):
    def test_every_named_intermediate(self):
        ids, out = SEQUENCES[0], self.dir / "t.safetensors"
        listed = self.json("trace", program.tiny, "--tokens", tokens(ids), "--backend", "exact", "-o", out)
        content = out.read_bytes()
        n_header, = struct.unpack_from("<Q", content)
        self.assertEqual(n_header % 8, 0)
        header = json.loads(content[8:8 + n_header])
        about = header.pop("__metadata__")
        self.assertEqual(about, {"tokens": tokens(ids), "backend": "exact", "architecture": "llama"})
        self.assertEqual([t["name"] for t in listed["tensors"]], list(header))
        end = 0
        for name, tensor in header.items():
            n = 4
            for size in tensor["shape"]:
                n *= size
            self.assertEqual((tensor["dtype"], tensor["data_offsets"]), ("F32", [end, end + n]), name)
            end += n
        self.assertEqual(8 + n_header + end, len(content))
        for name, shape in {"embd": [8, 256], "attn_norm-0": [8, 256], "Qcur-1:MUL_MAT": [8, 256],
                            "Qcur-1:ROPE": [8, 8, 32], "kq_soft_max-0": [8, 8, 8], "l_out-1": [8, 256],
                            "result_norm": [8, 256], "result_output": [8, VOCABULARY]}.items():
            self.assertEqual(header[name]["shape"], shape, name)
        begin, end = header["result_output"]["data_offsets"]
        logits = self.dir / "logits.f32"
        self.assay("logits", program.tiny, "--tokens", tokens(ids), "--backend", "exact", "-o", logits)
        self.assertEqual(content[8 + n_header:][begin:end], logits.read_bytes())
