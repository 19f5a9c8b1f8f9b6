#!/usr/bin/env python3
"""Writes v2.gguf and v3.gguf beside this script: every metadata type and two tensors, straight from the format's
description (ggml's docs/gguf.md) and sharing no code with Assay. golden_test.cpp states what they hold."""
import struct
from pathlib import Path


def text(s):
    data = s.encode()
    return struct.pack("<Q", len(data)) + data


def pair(key, type_id, value):
    return text(key) + struct.pack("<I", type_id) + value


def array(type_id, elements):
    return struct.pack("<IQ", type_id, len(elements)) + b"".join(elements)


def pack(code, *values):
    return [struct.pack("<" + code, v) for v in values]


def model(version):
    pairs = [
        pair("general.architecture", 8, text("llama")),
        pair("general.alignment", 4, struct.pack("<I", 64)),
        pair("t.u8", 0, struct.pack("<B", 200)),
        pair("t.i8", 1, struct.pack("<b", -100)),
        pair("t.u16", 2, struct.pack("<H", 60000)),
        pair("t.i16", 3, struct.pack("<h", -30000)),
        pair("t.u32", 4, struct.pack("<I", 4000000000)),
        pair("t.i32", 5, struct.pack("<i", -2000000000)),
        pair("t.f32", 6, struct.pack("<f", 1.5)),
        pair("t.bool", 7, b"\1"),
        pair("t.string", 8, text("h\u00e9llo\n")),
        pair("t.u64", 10, struct.pack("<Q", 2**64 - 1)),
        pair("t.i64", 11, struct.pack("<q", -(2**63))),
        pair("t.f64", 12, struct.pack("<d", 1e300)),
        pair("t.ints", 9, array(3, pack("h", -1, 0, 1))),
        pair("t.floats", 9, array(6, pack("f", 0.5, -2.0))),
        pair("t.bools", 9, array(7, pack("B", 1, 0, 1))),
        pair("t.strings", 9, array(8, [text("a"), text(""), text("\u4e16")])),
        pair("t.nested", 9, array(9, [array(0, pack("B", 1, 2)), array(8, [text("x")]), array(0, [])])),
    ]
    floats = struct.pack("<6f", 0, 1, 2, 3, 4, 5)
    q8_0 = struct.pack("<e32b", 0.5, *range(-16, 16))
    tensors = [("norm.weight", (3, 2), 0, floats), ("out.weight", (32,), 8, q8_0)]
    directory, data = b"", b""
    for name, dims, type_id, content in tensors:
        directory += text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, type_id, len(data))
        data += content + b"\0" * (-len(content) % 64)
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs)) + b"".join(pairs) + directory
    return head + b"\0" * (-len(head) % 64) + data


for version in (2, 3):
    Path(__file__).with_name(f"v{version}.gguf").write_bytes(model(version))
