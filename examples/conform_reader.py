#!/usr/bin/env python3
"""Answers for Q8_0 and Q4_K in an export of `assay conform export DIR`: conform_reader.py DIR."""
import json
import pathlib
import struct
import sys


def q8_0(block):  # f16 d, 32 int8
    d, *q = struct.unpack("<e32b", block)
    return [d * x for x in q]


def q4_k(block):  # f16 d, f16 dmin, 12 bytes of 6-bit scales and mins, 128 bytes of nibbles
    d, dmin = struct.unpack_from("<ee", block)
    s, qs = block[4:16], block[16:]
    weights = []
    for j in range(8):
        scale = s[j] & 63 if j < 4 else s[j + 4] & 15 | s[j - 4] >> 6 << 4
        low = s[j + 4] & 63 if j < 4 else s[j + 4] >> 4 | s[j] >> 6 << 4
        for byte in qs[32 * (j // 2):32 * (j // 2) + 32]:
            q = byte >> 4 if j % 2 else byte & 15
            # f32 after every operation: these products are exact in f64, so one rounding each is enough.
            weights.append(f32(f32(f32(d * scale) * q) - f32(dmin * low)))
    return weights


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


folder = pathlib.Path(sys.argv[1])
for entry in json.loads((folder / "manifest.json").read_text())["types"]:
    decode = {"Q8_0": q8_0, "Q4_K": q4_k}.get(entry["name"])
    if decode:
        blocks, size = (folder / entry["blocks"]["file"]).read_bytes(), entry["block_bytes"]
        weights = [w for at in range(0, len(blocks), size) for w in decode(blocks[at:at + size])]
        (folder / entry["answer"]).write_bytes(struct.pack(f"<{len(weights)}f", *weights))
