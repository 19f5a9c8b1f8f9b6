"""assay diagnose --weights: dumps written by hand, as another engine would, from the bytes of the file."""
import json
import struct

import program

TENSOR = "blk.0.attn_k.weight"  # Q4_K, 64 rows of 256


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def q4_k(block, scales_of):
    """One block of 144 bytes -> 256 floats; scales_of unpacks the 12 bytes of scales."""
    d, dmin = struct.unpack("<2e", block[:4])
    scale, minimum = scales_of(block[4:16])
    values = []
    for i in range(256):
        byte = block[16 + 32 * (i // 64) + i % 32]
        q = byte >> 4 if i % 64 >= 32 else byte & 15
        s = i // 32
        values.append(f32(f32(f32(d * scale[s]) * q) - f32(dmin * minimum[s])))
    return values


def right(c):
    scale = [x & 63 for x in c[:4]] + [c[8 + s] & 15 | c[s] >> 6 << 4 for s in range(4)]
    minimum = [x & 63 for x in c[4:8]] + [c[8 + s] >> 4 | c[4 + s] >> 6 << 4 for s in range(4)]
    return scale, minimum


def top_bits_dropped(c):
    return [x & 63 for x in c[:4]] + [x & 15 for x in c[8:]], [x & 63 for x in c[4:8]] + [x >> 4 for x in c[8:]]


def third_scale_wrong(c):
    scale, minimum = right(c)
    scale[3] = scale[3] + 5 & 63
    return scale, minimum


def npy(values, shape, kind="<f4"):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    body = struct.pack(f"<{len(values)}{'f' if kind == '<f4' else 'e'}", *values)
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + body


def safetensors(tensors):
    header, body = {}, b""
    for name, (shape, values) in tensors.items():
        data = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


class DiagnoseWeights(program.Case):
    def setUp(self):
        super().setUp()
        inspected = json.loads(self.assay("inspect", program.tiny, "--json")[0])
        tensor = next(t for t in inspected["tensors"] if t["name"] == TENSOR)
        begin = tensor["file_offset"]
        self.blocks = program.tiny.read_bytes()[begin:begin + 64 * 144]

    def weights(self, scales_of, rows=range(64)):
        return [w for r in rows for w in q4_k(self.blocks[144 * r:144 * (r + 1)], scales_of)]

    def diagnose(self, dump, *options, status, tensor=TENSOR):
        out, err = self.assay("diagnose", program.tiny, "--weights", dump, "--tensor", tensor, "--json", *options, status=status)
        return json.loads(out)

    def test_a_right_dump_has_no_fault(self):
        values = self.weights(right)
        for content, name in [(npy(values, (64, 256)), "a.npy"), (npy(values, (64, 256), "<f2"), "b.npy"),
                              (npy(values, (64 * 256,)), "c.npy"),
                              (safetensors({"other": ([1], [1.0]), TENSOR: ([64, 256], values)}), "d.safetensors")]:
            with self.subTest(name):
                finding = self.diagnose(self.file(name, content), status=program.DONE)
                self.assertEqual(finding["verdict"], "no fault found")
        part = self.file("part.npy", npy(self.weights(right, range(8, 12)), (4, 256)))
        self.assertEqual(self.diagnose(part, "--rows", "8:12", status=program.DONE)["verdict"], "no fault found")

    def test_a_known_fault_is_named(self):
        values = self.weights(top_bits_dropped)
        for kind in ("<f4", "<f2"):
            finding = self.diagnose(self.file("dump.npy", npy(values, (64, 256), kind)), status=program.FAULT_FOUND)
            self.assertEqual(finding["verdict"], "fault")
            self.assertEqual(finding["candidates"][0]["id"], "k-scale-top-bits-dropped")
        out, err = self.assay("diagnose", program.tiny, "--weights", self.dir / "dump.npy", "--tensor", TENSOR,
                              status=program.FAULT_FOUND)
        self.assertIn(b"k-scale-top-bits-dropped", out)
        self.assertIn(b"mend", out)

    def test_an_unknown_fault_is_located(self):
        dump = self.file("dump.npy", npy(self.weights(third_scale_wrong), (64, 256)))
        finding = self.diagnose(dump, status=program.FAULT_FOUND)
        self.assertEqual(finding["verdict"], "unknown fault")
        self.assertEqual(finding["candidates"], [])
        self.assertIn("scale of sub-block 3", finding["place"])

    def test_another_tensor_is_recognized(self):
        dump = self.file("dump.npy", npy(self.weights(right), (64, 256)))
        finding = self.diagnose(dump, status=program.FAULT_FOUND, tensor="blk.0.attn_v.weight")
        self.assertEqual(finding["candidates"][0]["id"], "k-v-exchanged")

    def test_refusals(self):
        def refused(dump, *options, says):
            self.refused("diagnose", program.tiny, "--weights", dump, *options, says=says)

        values = self.weights(right)
        dump = self.file("dump.npy", npy(values, (64, 256)))
        refused(dump, says="--tensor")
        refused(dump, "--tensor", "blk.0.attn_kk.weight", says=TENSOR)
        refused(dump, "--tensor", "blk.0.attn_q.weight", says="(256, 256)")
        refused(dump, "--tensor", TENSOR, "--rows", "8", says="A:B")
        refused(dump, "--tensor", TENSOR, "--rows", "8:65", says="rows 0 to 63")
        refused(self.file("cut.npy", npy(values, (64, 256))[:-1]), "--tensor", TENSOR, says="values")
        refused(self.file("x.npy", npy(values, (64, 256)).replace(b"<f4", b"<i4")), "--tensor", TENSOR, says="<i4")
        refused(self.file("x.npz", b"PK\x03\x04"), "--tensor", TENSOR, says="zip")
        refused(self.dir / "absent.npy", "--tensor", TENSOR, says="absent")
