#!/usr/bin/env python3
"""What threads bring, and what is left on a busy machine: one thread, all threads, and all while another process has a core.

    bench/threads.py [build/assay] [--model SHAPE:TYPE] [--rounds 5]

The three run in turn (A B C A B C); prefill 512 and generation 64, medians, lowest and highest. The other process does nothing but
count, on the last processor that this one may use.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from program import output

ROOT = pathlib.Path(__file__).resolve().parents[1]
parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("program", nargs="?", default=ROOT / "build/assay")
parser.add_argument("--model", default="tinyllama-1.1b:q4_k_m")
parser.add_argument("--rounds", type=int, default=5)
options = parser.parse_args()
processors = sorted(os.sched_getaffinity(0))
if len(processors) < 2:
    sys.exit("one processor only: nothing to compare")


def speeds(file, threads, busy):
    """Tokens a second: prefill, generation."""
    other = subprocess.Popen(["taskset", "-c", str(processors[-1]), sys.executable, "-c", "while True: pass"]) if busy else None
    try:
        told = json.loads(output(options.program, "bench", file, "--json", "-r", 3, "-t", threads))
    finally:
        if other:
            other.kill()
            other.wait()
    return told["prefill"]["per_second"], told["generate"]["per_second"]


n = len(processors)
cases = {"1 thread": (1, False), f"{n} threads": (n, False), f"{n} threads, a core taken": (n, True)}
seen = {name: [] for name in cases}
with tempfile.TemporaryDirectory() as folder:
    file = pathlib.Path(folder) / "model.gguf"
    output(options.program, "bench", "--synthetic", options.model, "--keep", file, "-p", 0, "-n", 0, "-r", 1)
    for _ in range(options.rounds):
        for name, (threads, busy) in cases.items():
            seen[name].append(speeds(file, threads, busy))

print(f"{options.model}, {options.rounds} rounds in turn, medians (lowest-highest), tokens a second\n")
print("| | prefill 512 | generation 64 |\n| --- | --- | --- |")
for name, values in seen.items():
    cells = [f"{statistics.median(v):.1f} ({min(v):.1f}-{max(v):.1f})" for v in zip(*values)]
    print(f"| {name} | " + " | ".join(cells) + " |")
one, quiet, busy = seen.values()
ratio = lambda a, b, i: statistics.median(x[i] / y[i] for x, y in zip(a, b))
print(f"\n{n} threads over 1: prefill {ratio(quiet, one, 0):.2f}, generation {ratio(quiet, one, 1):.2f}; "
      f"busy over quiet: prefill {ratio(busy, quiet, 0):.2f}, generation {ratio(busy, quiet, 1):.2f}")
