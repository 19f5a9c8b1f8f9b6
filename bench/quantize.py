#!/usr/bin/env python3
"""assay quantize beside llama.cpp's quantizer: error, KL, size and speed, in turn on the same files.

    bench/quantize.py [build/assay] [--no-speed] [TYPE...]

Quality: the embedded model in each type, every quantizable tensor (pure). The error is sqrt(sum (x - y)^2 / sum x^2) over the weights
that changed, the KL is from F16 on models/tales-sample.txt, both files measured in the same pass by Assay. Types that need an
importance matrix get the same one, which `assay imatrix` makes of that text, and Q8_0 embeddings, which no matrix covers.
Speed: a random F16 model, one thread, whole program with fsync, A B A B, medians, MB/s of F16 input.
llama.cpp comes from npm: run tests/parity/run.sh once.
"""
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "parity"))
from llama_quantizer import Quantizer  # noqa: E402

TALES, TEXT = ROOT / "models/tales-6m-f16.gguf", ROOT / "models/tales-sample.txt"
# llama.cpp's llama_ftype of each kind.
KINDS = {"Q8_0": 7, "Q6_K": 18, "Q5_K_S": 16, "Q5_1": 9, "Q5_0": 8, "Q4_K_S": 14, "Q4_1": 3, "Q4_0": 2, "IQ4_NL": 25, "IQ4_XS": 30,
         "Q3_K_S": 11, "IQ3_S": 26, "IQ3_XXS": 23, "Q2_K": 10, "IQ2_S": 28, "IQ2_XS": 20, "IQ2_XXS": 19, "IQ1_M": 31, "IQ1_S": 24,
         "TQ2_0": 37, "TQ1_0": 36}
WITH_IMATRIX = {"IQ3_XXS", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S"}
SPEED = {"Q4_K_M": 15, "Q6_K": 18, "Q5_K_M": 17, "Q8_0": 7}
SPEED_SHAPE = "llama-150m:f16"
ROUNDS = 3


def assay(*arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True)
    if done.returncode:
        sys.exit(done.stderr.decode())
    return done.stdout


def error_of(file):
    """Over all tensors whose type changed; the weights of the F16 model have nearly one scale, so tensors count by their sizes."""
    n, squares = 0, 0.0
    for tensor in json.loads(assay("inspect", file, "--json"))["tensors"]:
        if tensor["type"] in ("F32", "F16"):
            continue
        [told] = json.loads(assay("inspect", file, "--tensor", tensor["name"], "--against", TALES, "--json"))
        n += told["difference"]["n_values"]
        squares += told["difference"]["n_values"] * told["difference"]["relative_rms"] ** 2
    return math.sqrt(squares / n)


def quality(kinds, folder, peer):
    imatrix_file = folder / "imatrix.gguf"
    assay("imatrix", TALES, TEXT, "-c", 256, "--process-output", "-o", imatrix_file)
    imatrix = read_imatrix(imatrix_file)
    print("| type | bits | our error | llama.cpp's | ratio | our KL | llama.cpp's | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for kind in kinds:
        ours, theirs = folder / f"ours-{kind}.gguf", folder / f"theirs-{kind}.gguf"
        needs = kind in WITH_IMATRIX
        assay("quantize", TALES, ours, kind, "--pure", *(["--imatrix", imatrix_file, "--token-embedding-type", "Q8_0"] if needs else []))
        if not peer.run(TALES, theirs, KINDS[kind], imatrix=imatrix if needs else None, pure=True,
                        **({"token_embedding_type": 8} if needs else {})):
            print(f"| {kind} | | llama.cpp refuses |")
            continue
        told = json.loads(assay("perplexity", TALES, TEXT, "-c", 256, "--compare", ours, theirs, "--json"))["files"]
        a, b = error_of(ours), error_of(theirs)
        ka, kb = told[0]["kl"][0], told[1]["kl"][0]
        print(f"| {kind}{' (imatrix)' if needs else ''} | {told[0]['bits_per_weight']:.2f} | {a:.5f} | {b:.5f} | {a / b:.3f} | "
              f"{ka:.6f} | {kb:.6f} | {ka / kb:.3f} |", flush=True)
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
    quality(arguments or list(KINDS), pathlib.Path(name), llama_cpp)
    if with_speed:
        speed(pathlib.Path(name), llama_cpp)
