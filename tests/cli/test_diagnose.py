"""assay diagnose --logits and --trace: healthy engines are called healthy, whatever they rounded."""
import array
import json
import struct
import unittest

import program
from program import Case

IDS = "1,22,17,4,90,33,33,58,7,21,64,80,12,71,5,99,41,18,63,27,85,9,46,73"
ROUNDED = ("gemma3-F16", "llama-mixed", "phi3-F16", "qwen2-Q4_K_M")


def floats(content):
    return array.array("f", content)


def as_f16(values):
    return struct.pack(f"<{len(values)}e", *values)


def as_bf16(values):
    """To nearest, ties to even."""
    bits = array.array("I", values.tobytes())
    return array.array("H", [(b + 0x7fff + (b >> 16 & 1)) >> 16 for b in bits]).tobytes()


def npy(values, n_cols, half=False):
    shape = f"({len(values) // n_cols}, {n_cols})"
    head = f"{{'descr': '<f{2 if half else 4}', 'fortran_order': False, 'shape': {shape}, }}"
    head = head.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + (
        as_f16(values) if half else values.tobytes())


def safetensors(tensors, ids):
    """Of {name: (dtype, shape, bytes)}."""
    head, begin = {"__metadata__": {"tokens": ids}}, 0
    for name, (dtype, shape, content) in tensors.items():
        head[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, begin + len(content)]}
        begin += len(content)
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(content for *_, content in tensors.values())


def read_safetensors(content):
    n, = struct.unpack_from("<Q", content)
    head = json.loads(content[8:8 + n])
    head.pop("__metadata__", None)
    return {name: (t["shape"], floats(content[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]]))
            for name, t in head.items()}


DTYPES = {"F32": lambda values: values.tobytes(), "F16": as_f16, "BF16": as_bf16}


def golden_models():
    """Folders of models with llama.cpp's own numbers: those of the tree, and all where there are more."""
    folders = {f.name: f for f in (program.golden / "models").iterdir() if (f / "golden.json").exists()}
    if program.external.exists():
        folders = {f.name: f for f in (program.external / "models").iterdir() if f.is_dir()}
    else:
        print(f"skipped: llama.cpp's numbers in {program.external}, which is not there")
    return [folders[name] for name in sorted(folders)]


class Healthy(Case):
    def diagnosed(self, model, *arguments):
        out, _ = self.assay("diagnose", model, *arguments, "--json")
        return json.loads(out)

    def assert_healthy(self, model, *arguments):
        finding = self.diagnosed(model, *arguments)
        self.assertEqual(finding["verdict"], "no fault found", finding)

    def quantized(self, mix):
        model = self.dir / f"{mix}.gguf"
        if not model.exists():
            self.assay("quantize", program.tales, model, mix)
        return model

    def test_logits_of_llama_cpp(self):
        for folder in golden_models():
            golden = json.loads((folder / "golden.json").read_text())
            for name in ("logits.f32", "logits_f32w.f32"):
                # Errors that are not f32's have every fault tried on them: a few models will do.
                if not (folder / name).exists() or name == "logits.f32" and folder.name not in ROUNDED:
                    continue
                logits, begin = floats((folder / name).read_bytes()), 0
                for ids in golden["sequences"][:2]:
                    rows = logits[400 * begin:400 * (begin + len(ids))]
                    begin += len(ids)
                    with self.subTest(model=folder.name, logits=name, n_ids=len(ids)):
                        dump = self.file("logits.npy", npy(rows, 400))
                        self.assert_healthy(folder / "model.gguf", "--logits", dump, "--ids",
                                            ",".join(map(str, ids)))


    def test_traces_of_llama_cpp(self):
        n_traces = 0
        for folder in golden_models():
            for steps in sorted(folder.glob("steps_f32w.seq*.json")):
                n_traces += 1
                listed = json.loads(steps.read_text())
                golden = json.loads((folder / "golden.json").read_text())
                ids, = [s for s in golden["sequences"] if len(s) == listed["n_tokens"]]
                values = floats(steps.with_suffix(".f32").read_bytes())
                tensors = {f"{t['name']}:{t['op']}":
                           (t["shape"], values[t["offset_floats"]:t["offset_floats"] + t["n_floats"]])
                           for t in listed["tensors"]}
                for dtype, round_to in DTYPES.items():
                    with self.subTest(model=folder.name, steps=steps.name, dtype=dtype):
                        dump = self.file("trace.safetensors", safetensors(
                            {name: (dtype, shape, round_to(v)) for name, (shape, v) in tensors.items()},
                            ",".join(map(str, ids))))
                        self.assert_healthy(folder / "model.gguf", "--trace", dump)
        if n_traces == 0:
            print("skipped: llama.cpp's traces, which are not there")

    def dumps(self, model, ids, *engine):
        """The options of `diagnose` for a run's logits and its trace, in every number type."""
        logits, trace = self.dir / "healthy.f32", self.dir / "healthy.safetensors"
        self.assay("logits", model, "--tokens", ids, "-o", logits, *engine)
        self.assay("trace", model, "--tokens", ids, "-o", trace, *engine)
        values = floats(logits.read_bytes())
        n_cols = len(values) // len(ids.split(","))
        steps = read_safetensors(trace.read_bytes())
        for dtype, round_to in DTYPES.items():
            if dtype == "BF16":
                rows = self.file("logits.safetensors", safetensors(
                    {"logits": (dtype, [len(values) // n_cols, n_cols], round_to(values))}, ids))
            else:
                rows = self.file("logits.npy", npy(values, n_cols, half=dtype == "F16"))
            yield dtype, ("--logits", rows, "--ids", ids)
            yield dtype, ("--trace", self.file("trace.safetensors", safetensors(
                {name: (dtype, shape, round_to(v)) for name, (shape, v) in steps.items()}, ids)))

    def test_arithmetic_of_the_cpu(self):
        for mix, dtype_of_logits in (("Q8_0", "F16"), ("Q4_K_M", "BF16"), ("Q2_K", "F32")):
            model = self.quantized(mix)
            for dtype, dump in self.dumps(model, IDS, "--backend", "cpu", "--kv", "f16"):
                if dump[0] == "--logits" and dtype != dtype_of_logits:
                    continue  # the types differ in what they read, not in what is tried
                with self.subTest(mix=mix, dtype=dtype, form=dump[0]):
                    self.assert_healthy(model, *dump)

    def test_f16_cache(self):
        for dtype, dump in self.dumps(program.tiny, IDS, "--backend", "exact", "--kv", "f16"):
            with self.subTest(dtype=dtype, form=dump[0]):
                self.assert_healthy(program.tiny, *dump)

    def test_one_token_carries_no_fault(self):
        for dtype, dump in self.dumps(program.tiny, "1", "--backend", "cpu", "--kv", "f16"):
            with self.subTest(dtype=dtype, form=dump[0]):
                finding = self.diagnosed(program.tiny, *dump)
                self.assertIn(finding["verdict"], ("no fault found", "not enough data"), finding)


if __name__ == "__main__":
    unittest.main()
