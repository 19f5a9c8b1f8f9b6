#!/usr/bin/env python3
"""Assay beside llama.cpp on the same file, in turn: prefill and generation, each with the share of the machine's limit.

    bench/peers.py [build/assay] [--types q4_k_m q8_0 ...] [--depths 0 2048] [--rounds 5] [--threads 2]

Each round runs ours, then llama.cpp's (A B A B); of ours the middle one of three passes counts with its share, of llama.cpp's the
one after a warm-up. Medians, lowest and highest. The limits (read bandwidth, int8 and f32 multiply-adds) are measured by `assay bench`
beside every pass of ours. The file has the shape's sizes and random weights. llama.cpp comes from npm: run tests/parity/run.sh once.
One type takes some minutes.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

from program import output

ROOT = pathlib.Path(__file__).resolve().parents[1]
TYPES = ["q4_k_m", "q5_k_m", "q6_k", "q8_0", "q4_0", "iq4_xs", "mxfp4", "f16"]
FLOATS = {"f32", "f16", "bf16"}
N_PROMPT, N_GENERATE = 512, 64

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("program", nargs="?", default=ROOT / "build/assay")
parser.add_argument("--types", nargs="+", default=TYPES)
parser.add_argument("--shape", default="tinyllama-1.1b")
parser.add_argument("--depths", nargs="+", type=int, default=[0, 2048])
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--threads", type=int, default=2)
options = parser.parse_args()


class Peer:
    """llama.cpp behind a pipe."""

    def __init__(self, file, n_ctx):
        self.process = subprocess.Popen(["node", ROOT / "tests/parity/peer.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ask(op="load", model=str(file), n_ctx=n_ctx, n_batch=N_PROMPT, threads=options.threads)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or b'{"error": "it ended; has tests/parity/run.sh been run?"}')
        if "error" in answer:
            sys.exit(f"llama.cpp: {answer['error']}")
        return answer

    def turn(self, depth):
        told = self.ask(op="bench", n_prompt=N_PROMPT, n_gen=N_GENERATE, depth=depth, repeats=1)
        return told["prefill_tokens_per_s"]["best"], told["generation_tokens_per_s"]["best"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def our_turn(file, depth):
    """Tokens a second and shares of the limits: prefill, then generation."""
    told = json.loads(output(options.program, "bench", file, "--json", "-r", 3, "-p", N_PROMPT, "-n", N_GENERATE, "-d", depth,
                             "-t", options.threads, "--batch", N_PROMPT))
    prefill, generate = told["prefill"], told["generate"]
    told["read_gb_per_s"] = generate["read_gb_per_s"]  # measured beside the rounds
    return (prefill["per_second"], prefill["share_of_multiply_adds"]), (generate["per_second"], generate["share_of_read"]), told


def spread(values):
    return f"{statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})"


print(f"{options.shape}, {options.threads} threads, {options.rounds} rounds in turn, medians (lowest-highest), tokens a second\n")
print("| type | depth | what | ours | llama.cpp | ratio | share of the limit |")
print("| --- | --: | --- | --- | --- | --: | --- |")
limits = []
for kind in options.types:
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / f"{kind}.gguf"
        output(options.program, "bench", "--synthetic", f"{options.shape}:{kind}", "--keep", file, "-p", 0, "-n", 0, "-r", 1)
        for depth in options.depths:
            peer = Peer(file, depth + N_PROMPT + N_GENERATE)
            ours, theirs = [], []
            for _ in range(options.rounds):
                *turn, told = our_turn(file, depth)
                limits.append(told)
                ours.append(turn)
                theirs.append(peer.turn(depth))
            peer.close()
            for i, what in enumerate([f"prefill {N_PROMPT}", f"generation {N_GENERATE}"]):
                rates, shares = [[turn[i][k] for turn in ours] for k in (0, 1)]
                peers = [turn[i] for turn in theirs]
                limit = "read" if i == 1 else "f32" if kind in FLOATS else "int8"
                print(f"| {kind} | {depth} | {what} | {spread(rates)} | {spread(peers)} | "
                      f"{statistics.median(a / b for a, b in zip(rates, peers)):.2f} | "
                      f"{100 * statistics.median(shares):.0f} % of {limit} |", flush=True)
machine = limits[0]
print(f"\n{machine['machine']}, kernels {machine['kernels']}; limits seen, medians: "
      + ", ".join(f"{name} {statistics.median(told[key] for told in limits):.1f} {unit}" for name, key, unit in [
          ("read", "read_gb_per_s", "GB/s"), ("int8", "int8_gop_per_s", "Gop/s"), ("f32", "f32_gflop_per_s", "Gflop/s"),
          ("clock", "clock_ghz", "GHz")]))
