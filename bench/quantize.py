#!/usr/bin/env python3
"""assay quantize beside llama.cpp's quantizer: error, KL, size and speed, in turn on the same files.

    bench/quantize.py [build/assay] [--no-speed] [TYPE...]

Quality: the embedded model in each type, every quantizable tensor (pure), once without an importance matrix and once with the one that
`assay imatrix` makes of models/tales-sample.txt. The error is sqrt(sum (x - y)^2 / sum x^2) over the weights that changed, the weighted
one has each square times its column's importance; the KL is from F16 on that text, both files measured in the same pass by Assay.
Speed: a random F16 model, one thread, whole program with fsync, A B A B, medians, MB/s of F16 input.
llama.cpp comes from npm: run tests/parity/run.sh once.
"""
import json
import math
import os
import pathlib
import statistics
import sys
import tempfile
import time
from itertools import cycle

from program import output

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "parity"))
from llama_quantizer import Quantizer  # noqa: E402

TALES, TEXT = ROOT / "models/tales-6m-f16.gguf", ROOT / "models/tales-sample.txt"
# llama.cpp's llama_ftype of each kind. Pure, a mix is its main type: IQ2_M is IQ2_S, and IQ2_S would be IQ2_XS again.
KINDS = {"Q8_0": 7, "Q6_K": 18, "Q5_K_S": 16, "Q5_1": 9, "Q5_0": 8, "Q4_K_S": 14, "Q4_1": 3, "Q4_0": 2, "IQ4_NL": 25, "IQ4_XS": 30,
         "Q3_K_S": 11, "IQ3_S": 26, "IQ3_XXS": 23, "Q2_K": 10, "IQ2_M": 29, "IQ2_XS": 20, "IQ2_XXS": 19, "IQ1_M": 31, "IQ1_S": 24,
         "TQ2_0": 37, "TQ1_0": 36}
WITH_IMATRIX = {"IQ3_XXS", "IQ2_M", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S"}
SPEED = {"Q4_K_M": 15, "Q6_K": 18, "Q5_K_M": 17, "Q8_0": 7}
SPEED_SHAPE = "llama-150m:f16"
ROUNDS = 3


def assay(*arguments):
    return output(program, *arguments)


def errors_of(file, imatrix):
    """Plain and weighted relative RMS error, over all tensors whose type changed; weighted: over those that the matrix covers. The weights
    of the F16 model have nearly one scale, so tensors count by their sizes in the plain one."""
    n, squares, error, norm = 0, 0.0, 0.0, 0.0
    for tensor in json.loads(assay("inspect", file, "--json"))["tensors"]:
        if tensor["type"] in ("F32", "F16"):
            continue
        [told] = json.loads(assay("inspect", file, "--tensor", tensor["name"], "--against", TALES, "--json"))
        n += told["difference"]["n_values"]
        squares += told["difference"]["n_values"] * told["difference"]["relative_rms"] ** 2
        if h := imatrix and imatrix.get(tensor["name"]):
            rows = zip(cycle(h), weights(TALES, tensor["name"]), weights(file, tensor["name"]))
            parts = [(w * (x - y) ** 2, w * x * x) for w, x, y in rows]
            error += sum(part[0] for part in parts)
            norm += sum(part[1] for part in parts)
    return math.sqrt(squares / n), math.sqrt(error / norm) if norm else math.nan


def weights(file, name):
    """Of one tensor, row by row."""
    [tensor] = [t for t in json.loads(assay("inspect", file, "--json"))["tensors"] if t["name"] == name]
    with open(file, "rb") as whole, tempfile.TemporaryDirectory() as folder:
        whole.seek(tensor["file_offset"])
        blocks, floats = pathlib.Path(folder) / "blocks", pathlib.Path(folder) / "floats"
        blocks.write_bytes(whole.read(tensor["n_bytes"]))
        assay("decode", "--type", tensor["type"], blocks, floats)
        return memoryview(floats.read_bytes()).cast("f")


def quality(kinds, folder, peer, imatrix_file=None):
    """One table; with an importance matrix the embeddings, which none covers, become Q8_0."""
    imatrix = read_imatrix(imatrix_file) if imatrix_file else None
    pairs = ["error", "weighted error", "KL"] if imatrix else ["error", "KL"]
    print("\n| type | bits | " + " | ".join(f"our {what} | llama.cpp's | ratio" for what in pairs) + " |")
    print("|" + " --- |" * (2 + 3 * len(pairs)))
    for kind in kinds:
        if kind in WITH_IMATRIX and not imatrix:
            continue
        ours, theirs = folder / f"ours-{kind}.gguf", folder / f"theirs-{kind}.gguf"
        assay("quantize", TALES, ours, kind, "--pure",
              *(["--imatrix", imatrix_file, "--token-embedding-type", "Q8_0"] if imatrix else []))
        if not peer.run(TALES, theirs, KINDS[kind], imatrix=imatrix, pure=True, **({"token_embedding_type": 8} if imatrix else {})):
            print(f"| {kind} | | llama.cpp refuses |")
            continue
        told = json.loads(assay("perplexity", TALES, TEXT, "-c", 256, "--compare", ours, theirs, "--json"))["files"]
        rows = [[*errors_of(file, imatrix)[:len(pairs) - 1], told[k]["kl"][0]] for k, file in enumerate((ours, theirs))]
        print(f"| {kind} | {told[0]['bits_per_weight']:.2f} | " +
              " | ".join(f"{a:.5f} | {b:.5f} | {a / b:.3f}" for a, b in zip(*rows)) + " |", flush=True)
        ours.unlink(), theirs.unlink()


def read_imatrix(file):
    """{tensor: mean square of each column}, by `assay inspect`'s own reading of the file."""
    found = {}
    whole = file.read_bytes()
    tensors = {t["name"]: t for t in json.loads(assay("inspect", file, "--json"))["tensors"]}
    floats = lambda t: memoryview(whole[t["file_offset"]:t["file_offset"] + t["n_bytes"]]).cast("f").tolist()
    for name, tensor in tensors.items():
        if name.endswith(".in_sum2"):
            weight = name.removesuffix(".in_sum2")
            [count] = floats(tensors[weight + ".counts"])
            found[weight] = [value / count for value in floats(tensor)]
    return found


def speed(folder, peer):
    source, target = folder / "random.gguf", folder / "out.gguf"
    assay("bench", "--synthetic", SPEED_SHAPE, "--keep", source, "-p", 0, "-n", 1, "-r", 1)
    megabytes = source.stat().st_size / 1e6
    print(f"\n{SPEED_SHAPE}, {megabytes:.0f} MB, one thread, median of {ROUNDS}, MB/s; load average {os.getloadavg()[0]:.1f}\n")
    print("| type | ours | ours, fast | llama.cpp | ratio | ratio, fast |\n| --- | --- | --- | --- | --- | --- |")
    for kind, ftype in SPEED.items():
        runs = {"normal": lambda: assay("quantize", source, target, kind, "-t", 1),
                "peer": lambda: peer.run(source, target, ftype),
                "fast": lambda: assay("quantize", source, target, kind, "-t", 1, "--effort", "fast")}
        seconds = {name: [] for name in runs}
        for _ in range(ROUNDS):
            for name, run in runs.items():
                begin = time.monotonic()
                run()
                seconds[name].append(time.monotonic() - begin)
        rate = {name: megabytes / statistics.median(values) for name, values in seconds.items()}
        print(f"| {kind} | {rate['normal']:.0f} | {rate['fast']:.0f} | {rate['peer']:.0f} | {rate['normal'] / rate['peer']:.2f} | "
              f"{rate['fast'] / rate['peer']:.2f} |", flush=True)


arguments = sys.argv[1:]
with_speed = "--no-speed" not in arguments
arguments = [a for a in arguments if a != "--no-speed"]
program = arguments.pop(0) if arguments and arguments[0] not in KINDS else str(ROOT / "build/assay")
with tempfile.TemporaryDirectory() as name:
    llama_cpp = Quantizer()
    kinds, matrix = arguments or list(KINDS), pathlib.Path(name) / "imatrix.gguf"
    assay("imatrix", TALES, TEXT, "-c", 256, "--process-output", "-o", matrix)
    quality(kinds, pathlib.Path(name), llama_cpp)
    quality(kinds, pathlib.Path(name), llama_cpp, matrix)
    if with_speed:
        speed(pathlib.Path(name), llama_cpp)
