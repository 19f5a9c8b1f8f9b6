"""What the suites share: the program under test, its data, and the bytes of GGUF files."""
import json
import os
import pathlib
import struct
import subprocess
import tempfile
import unittest

path = ""  # of the program; set by main.py
source = pathlib.Path(__file__).resolve().parents[2]
golden = source / "tests" / "golden"
external = pathlib.Path(os.environ.get("ASSAY_GOLDEN_DIR", source.parent / "shared" / "golden"))
tales = source / "models" / "tales-6m-f16.gguf"
tiny = golden / "models" / "llama-Q4_K_M" / "model.gguf"

DONE, FAULT_FOUND, BAD_INPUT, MACHINE_CANNOT = 0, 1, 2, 3


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.dir = pathlib.Path(self.folder.name)
        self.addCleanup(self.folder.cleanup)

    def assay(self, *arguments, stdin=b"", status=DONE):
        """Runs the program; checks the status. Returns what it printed, and what it complained of."""
        done = subprocess.run([path, *map(os.fsencode, map(str_or_bytes, arguments))], input=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        self.assertEqual(done.returncode, status, (arguments, done.stderr))
        return done.stdout, done.stderr.decode()

    def refused(self, *arguments, stdin=b"", status=BAD_INPUT, says=""):
        """The program must refuse: a message on standard error, nothing on standard output."""
        out, err = self.assay(*arguments, stdin=stdin, status=status)
        self.assertEqual(out, b"", arguments)
        self.assertTrue(err.startswith("assay: "), err)
        self.assertIn(says, err)
        return err

    def json(self, *arguments, stdin=b""):
        out, err = self.assay(*arguments, "--json", stdin=stdin)
        return json.loads(out)

    def file(self, name, content):
        target = self.dir / name
        target.write_bytes(content)
        return target


def str_or_bytes(argument):
    return argument if isinstance(argument, bytes) else str(argument)


def floats(content):
    return struct.unpack(f"<{len(content) // 4}f", content)


class GgufParts:
    """A GGUF v3 file cut at its seams, so that a key can be added or replaced."""

    SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

    def __init__(self, content):
        self.content, self.at = content, 4
        self.version, = self.take("<I")
        self.n_tensors, n_pairs = self.take("<QQ")
        self.pairs = {}
        for _ in range(n_pairs):
            key = self.string()
            begin = self.at
            self.skip_value(*self.take("<I"))
            self.pairs[key] = content[begin:self.at]
        begin = self.at
        for _ in range(self.n_tensors):
            self.string()
            n_dims, = self.take("<I")
            self.at += 8 * n_dims + 4 + 8
        self.directory = content[begin:self.at]
        self.data = content[(self.at + 31) // 32 * 32:]

    def take(self, form):
        values = struct.unpack_from(form, self.content, self.at)
        self.at += struct.calcsize(form)
        return values

    def string(self):
        n, = self.take("<Q")
        self.at += n
        return self.content[self.at - n:self.at]

    def skip_value(self, kind):
        if kind == 8:
            self.string()
        elif kind == 9:
            element, n = self.take("<IQ")
            for _ in range(n):
                self.skip_value(element)
        else:
            self.at += self.SIZES[kind]

    def set_string(self, key, text):
        self.pairs[key] = struct.pack("<IQ", 8, len(text)) + text

    def join(self):
        head = b"GGUF" + struct.pack("<IQQ", self.version, self.n_tensors, len(self.pairs))
        for key, value in self.pairs.items():
            head += struct.pack("<Q", len(key)) + key + value
        head += self.directory
        return head + b"\0" * (-len(head) % 32) + self.data
