#!/usr/bin/env python3
"""Writes golden_blocks.inc from tests/golden/quant: a few blocks of every type and what llama.cpp decodes them to."""
import pathlib
import struct

here = pathlib.Path(__file__).resolve().parent
golden = here.parents[2] / "tests" / "golden" / "quant"
SAMPLE = 256  # weights; a hash for each 16 of them


def fnv1a(words):
    h = 0x811C9DC5
    for word in words:
        if word == 0x80000000:
            word = 0  # -0 = +0
        if word & 0x7FFFFFFF > 0x7F800000:
            word = 0x7FC00000  # NaN = NaN
        for byte in struct.pack("<I", word):
            h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return h


def main():
    lines = ["// Written by golden_blocks.py from tests/golden/quant, which llama.cpp v0.5.0's decoder made.",
             "// GOLDEN(type, sample of the type's raw.blocks, its bytes, FNV-1a of each 16 decoded weights)"]
    for path in sorted(golden.glob("*.raw.blocks")):
        name = path.name.removesuffix(".raw.blocks")
        blocks, values = path.read_bytes(), (golden / f"{name}.raw.f32").read_bytes()
        n = len(values) // 4 // SAMPLE
        size = len(blocks) // n
        words = [struct.unpack_from(f"<{SAMPLE}I", values, 4 * SAMPLE * i) for i in range(n)]
        tops = [max(w & 0x7FFFFFFF for w in sample) for sample in words]
        order = sorted((i for i in range(n) if tops[i]), key=lambda i: tops[i])
        chosen = {order[0], order[-1], order[len(order) // 3]} | {k * n // 6 for k in range(6)}
        for i in sorted(chosen):
            hashes = "".join(f"{fnv1a(words[i][k:k + 16]):08x}" for k in range(0, SAMPLE, 16))
            lines.append(f'GOLDEN({name}, {i}, "{blocks[size * i:size * (i + 1)].hex()}", "{hashes}")')
    (here / "golden_blocks.inc").write_text("\n".join(lines) + "\n")


main()
