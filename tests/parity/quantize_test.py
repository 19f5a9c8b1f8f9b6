#!/usr/bin/env python3
"""assay quantize beside llama.cpp's own quantizer, live: the same type for each tensor of many models in every mix, the same
metadata; and llama.cpp loads and runs each kind of file that Assay writes.

    quantize_test.py ASSAY              compares; exit status 1 when something differs
    quantize_test.py ASSAY --golden     also renews tests/golden/quantize/types.json
"""
import base64
import json
import math
import pathlib
import struct
import subprocess
import sys
import tempfile

from llama_quantizer import Quantizer
from quantize_models import MIXES, MODELS, text, write_sparse

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
TALES = ROOT / "models/tales-6m-f16.gguf"
ASSAY = sys.argv[1]
GGML_TYPES = {"F16": 1, "Q8_0": 8, "Q6_K": 14, "IQ4_NL": 20}
# Models whose choices are also kept as golden data.
GOLDEN = ["llama-8-gqa4", "llama-17-tied", "mixtral-12-gqa1", "falcon-33-gqa1", "gpt2-12", "llama-rows-mixed",
          "llama-rows-288-tied", "llama-odd-tensors"]
OPTIONS = ["llama-8-gqa4", "llama-17-tied", "llama-rows-mixed"]  # models that all options are tried on
n_failed = 0


def check(name, failures, note=""):
    global n_failed
    print(("FAILED " if failures else "ok     ") + name + (f": {note}" if note else ""), flush=True)
    for failure in failures[:10]:
        print(f"         {failure}")
    if len(failures) > 10:
        print(f"         and {len(failures) - 10} more")
    n_failed += bool(failures)


def assay(*arguments):
    done = subprocess.run([ASSAY, *map(str, arguments)], capture_output=True)
    if done.returncode:
        raise RuntimeError(f"assay {' '.join(map(str, arguments))}: {done.stderr.decode().strip()}")
    return done.stdout


def assay_types(source, mix, *options):
    rows = json.loads(assay("quantize", source, "unused", mix, "--dry-run", "--json", *options))["tensors"]
    return {row["name"]: row["to"] for row in rows}


def write_imatrix(path, importance):
    """{tensor: [mean squares]} in llama.cpp's GGUF format."""
    head = b"GGUF" + struct.pack("<IQQ", 3, 2 * len(importance), 4)
    head += text("general.type") + struct.pack("<I", 8) + text("imatrix")
    head += text("imatrix.datasets") + struct.pack("<IIQ", 9, 8, 1) + text("made up")
    for key in ("imatrix.chunk_count", "imatrix.chunk_size"):
        head += text(key) + struct.pack("<II", 4, 1)
    data = b""
    for name, values in importance.items():
        for suffix, numbers in ((".in_sum2", values), (".counts", [1.0])):
            head += text(name + suffix) + struct.pack("<IQIQ", 1, len(numbers), 0, len(data))
            data += struct.pack(f"<{len(numbers)}f", *numbers)
            data += bytes(-len(data) % 32)
    path.write_bytes(head + bytes(-len(head) % 32) + data)


def options_to_compare(folder):
    """(name, what llama.cpp is told, what Assay is told)."""
    imatrix = folder / "some.gguf"
    write_imatrix(imatrix, {"blk.999.attn_q.weight": [1.0]})
    return [
        ("standard", {}, []),
        ("imatrix", {"imatrix": {"blk.999.attn_q.weight": [1.0]}}, ["--imatrix", imatrix]),
        ("pure", {"pure": True}, ["--pure"]),
        ("output", {"output_tensor_type": GGML_TYPES["Q8_0"]}, ["--output-tensor-type", "q8_0"]),
        ("embedding", {"token_embedding_type": GGML_TYPES["F16"]}, ["--token-embedding-type", "f16"]),
        ("leave", {"quantize_output_tensor": False}, ["--leave-output-tensor"]),
        ("override", {"overrides": [("blk\\.[02]\\..*down", GGML_TYPES["Q6_K"]), ("attn_v|down", GGML_TYPES["IQ4_NL"])]},
         ["--tensor-type", "blk\\.[02]\\..*down=Q6_K", "--tensor-type", "attn_v|down=iq4_nl"]),
    ]


def compare_types(quantizer, folder):
    golden = {}
    for label, theirs, ours in options_to_compare(folder):
        failures, n_compared, n_tensors, refused = [], 0, 0, []
        for name, (metadata, tensors) in MODELS.items():
            if label != "standard" and name not in (GOLDEN if label == "imatrix" else OPTIONS):
                continue
            path = folder / f"{name}.gguf"
            write_sparse(path, metadata, tensors)
            for mix, file_type in MIXES.items():
                expected = quantizer.types(path, file_type, **theirs)
                # What llama.cpp has no fallback for, Assay keeps in F16. Float mixes take no overrides there.
                if expected is None or (label == "override" and mix in ("F32", "F16", "BF16")):
                    refused.append(f"{name} {mix}")
                    continue
                actual = assay_types(path, mix, *ours)
                n_compared += 1
                n_tensors += len(actual)
                differing = [f"{t} {actual.get(t)}, llama.cpp {expected.get(t)}" for t in {**expected, **actual}
                             if actual.get(t) != expected.get(t)]
                if differing or not expected:
                    failures.append(f"{name} {mix}: {differing[:3]}")
                if name in GOLDEN and label in ("standard", "imatrix"):
                    types = [expected[t] for t, _, _ in tensors]
                    golden.setdefault(name, {}).setdefault(mix, {})[label] = types
            path.unlink()
        check(f"types per tensor, {label}", failures,
              f"{n_compared} files, {n_tensors} tensors; llama.cpp refused {len(refused)}")
    return golden


def run_lengths(types):
    runs = []
    for t in types:
        if runs and runs[-1][1] == t:
            runs[-1][0] += 1
        else:
            runs.append([1, t])
    return " ".join(t if n == 1 else f"{n}*{t}" for n, t in runs)


def write_golden(golden):
    models = []
    for name, mixes in golden.items():
        metadata, tensors = MODELS[name]
        rows = []
        for mix, by_label in mixes.items():
            standard = run_lengths(by_label["standard"])
            rows.append([mix, standard])
            if "imatrix" in by_label and run_lengths(by_label["imatrix"]) != standard:
                rows.append([mix, run_lengths(by_label["imatrix"]), "imatrix"])
        keys = {k: v for k, v in metadata.items() if k == "general.architecture" or
                k.split(".", 1)[1] in ("block_count", "expert_count", "attention.head_count", "attention.head_count_kv")}
        models.append({"name": name, "metadata": keys, "tensors": [[n, list(d), k] for n, d, k in tensors], "mixes": rows})
    target = ROOT / "tests/golden/quantize/types.json"
    target.parent.mkdir(exist_ok=True)
    lines = json.dumps({"reference": "llama.cpp v0.5.0", "models": models}).replace('["', '\n["').replace('{"name', '\n{"name')
    target.write_text(lines + "\n")


def metadata_of(path):
    return json.loads(assay("inspect", path, "--json"))["metadata"]


def compare_metadata(quantizer, folder):
    failures = []
    ours, theirs = folder / "ours.gguf", folder / "theirs.gguf"
    for mix in ("Q4_K_M", "Q8_0", "IQ4_XS"):
        assay("quantize", TALES, ours, mix, "--effort", "fast")
        if not quantizer.run(TALES, theirs, MIXES[mix]):
            failures.append(f"llama.cpp cannot quantize to {mix}")
        a, b = metadata_of(ours), metadata_of(theirs)
        failures += [f"{mix}: {k}: {a.get(k)}, llama.cpp {b.get(k)}" for k in {**a, **b} if a.get(k) != b.get(k)]
        if ours.stat().st_size != theirs.stat().st_size:
            failures.append(f"{mix}: {ours.stat().st_size} bytes, llama.cpp {theirs.stat().st_size}")
    check("metadata and size", failures)


def run_every_type(folder):
    """llama.cpp's logits on each file are finite and differ from token to token."""
    imatrix = folder / "tales-imatrix.gguf"
    shapes = json.loads(assay("quantize", TALES, "unused", "F16", "--dry-run", "--json"))["tensors"]
    columns = {t["name"]: 768 if "ffn_down" in t["name"] else 256 for t in shapes if t["name"].startswith("blk.")}
    write_imatrix(imatrix, {name: [1.0 + 0.5 * math.sin(i) for i in range(n)] for name, n in columns.items()
                            if "norm" not in name})
    peer = subprocess.Popen(["node", HERE / "peer.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(**request):
        print(json.dumps(request), file=peer.stdin, flush=True)
        answer = json.loads(peer.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    failures, n_run = [], 0
    for mix in MIXES:
        path = folder / f"{mix}.gguf"
        assay("quantize", TALES, path, mix, "--imatrix", imatrix, "--effort", "fast")
        try:
            ask(op="load", model=str(path), n_ctx=64)
            answer = ask(op="logits", ids=[1, 300, 400, 500, 600, 700], last_only=False)
            raw = base64.b64decode(answer["f32"])
            logits = struct.unpack(f"<{len(raw) // 4}f", raw)
            n_run += 1
            if len(logits) != 6 * 2048 or not all(map(math.isfinite, logits)) or max(logits) == min(logits):
                failures.append(f"{mix}: logits are not finite, or all equal")
        except RuntimeError as error:
            failures.append(f"{mix}: {error}")
        path.unlink()
    peer.stdin.close()
    peer.wait()
    check("llama.cpp loads and runs every type", failures, f"{n_run} files")


def main():
    with tempfile.TemporaryDirectory(prefix="assay-quantize-") as name:
        folder = pathlib.Path(name)
        quantizer = Quantizer()
        golden = compare_types(quantizer, folder)
        if "--golden" in sys.argv:
            write_golden(golden)
        compare_metadata(quantizer, folder)
        run_every_type(folder)
    return 1 if n_failed else 0


sys.exit(main())
