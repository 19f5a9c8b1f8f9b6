"""Kills `assay quantize`, fills its disk, takes its input away: faults.py PROGRAM. Whatever happens, the final name holds
what it held before or the whole new file, and what is not a kill -9 leaves no temporary file and says why it ended."""
import ctypes
import os
import pathlib
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
import program  # noqa: E402
from program import BAD_INPUT, MACHINE_CANNOT  # noqa: E402

N_KILLS = 50


class Faults(program.Case):
    def setUp(self):
        super().setUp()
        self.out = self.dir / "out.gguf"

    def start(self, source, *options, out=None, **popen):
        return subprocess.Popen([program.path, "quantize", str(source), str(out or self.out), *options],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **popen)

    def slow(self, source, **popen):
        """A run of several seconds."""
        return self.start(source, "IQ3_S", "--effort", "max", "-t", "1", **popen)

    def temporaries(self, folder=None):
        return list((folder or self.dir).glob("*.tmp-*"))

    def wait_for_work(self, child):
        """Until the output's temporary file is there: the quantizer is at work, or done."""
        while child.poll() is None and not self.temporaries():
            time.sleep(0.001)

    def expect_refusal(self, child, status, *pieces):
        out, err = child.communicate(timeout=60)
        self.assertEqual(child.returncode, status, err)
        self.assertEqual(out, b"")
        for piece in (b"assay: ", *pieces):
            self.assertIn(piece, err)
        self.assertFalse(self.out.exists())
        self.assertEqual(self.temporaries(), [])

    def test_kill_at_random_moments(self):
        whole = self.dir / "whole.gguf"
        start = time.monotonic()
        self.assay("quantize", program.tales, whole, "Q4_K_M")
        seconds = time.monotonic() - start
        expected, old = whole.read_bytes(), b"what was there before"
        rng, n_killed, n_at_work = random.Random(3), 0, 0
        for i in range(N_KILLS):
            self.out.unlink(missing_ok=True)
            if i % 2:
                self.out.write_bytes(old)
            child = self.start(program.tales, "Q4_K_M")
            time.sleep(rng.uniform(0, seconds))
            child.kill()
            child.communicate()
            killed = child.returncode == -signal.SIGKILL
            n_killed += killed
            n_at_work += bool(self.temporaries())
            found = self.out.read_bytes() if self.out.exists() else None
            allowed = [expected, old if i % 2 else None] if killed else [expected]
            self.assertIn(found, allowed)
            for temporary in self.temporaries():
                temporary.unlink()
        print(f"killed {n_killed} of {N_KILLS} runs, {n_at_work} of them at work on the file")
        self.assertGreater(n_killed, N_KILLS // 4)

    def test_signal_to_stop(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            child = self.slow(program.tales)
            self.wait_for_work(child)
            child.send_signal(number)
            self.expect_refusal(child, MACHINE_CANNOT, b"stopped by a signal")

    def test_full_disk(self):
        disk = self.dir / "disk"
        disk.mkdir()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"none", os.fsencode(disk), b"tmpfs", 0, b"size=2m") != 0:
            self.skipTest(f"no tmpfs can be mounted here: {os.strerror(ctypes.get_errno())}")
        self.addCleanup(libc.umount, os.fsencode(disk))
        _, err = self.assay("quantize", program.tales, disk / "out.gguf", "Q4_K_M", status=MACHINE_CANNOT)
        self.assertIn("No space left", err)
        self.assertEqual(list(disk.iterdir()), [])
        self.assay("quantize", program.tales, disk / "out.gguf", "IQ2_XXS", "--pure", "--imatrix", self.imatrix())

    def test_file_size_limit(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 21, 1 << 21))
        child = self.start(program.tales, "Q4_K_M", preexec_fn=limit)
        self.expect_refusal(child, MACHINE_CANNOT, b"File too large")

    def test_unwritable_folder(self):
        self.refused("quantize", program.tales, self.dir / "absent" / "out.gguf", "Q8_0", status=MACHINE_CANNOT,
                     says="No such file or directory")
        self.refused("quantize", program.tales, self.dir, "Q8_0", says="not a regular file")
        locked = self.dir / "locked"
        locked.mkdir()
        locked.chmod(0o555)
        user = {}
        if os.geteuid() == 0:
            self.dir.chmod(0o755)
            user = {"user": 65534, "group": 65534, "extra_groups": []}
        copy, model = self.dir / "assay", self.dir / "in.gguf"  # where any user may read them
        shutil.copy(program.path, copy)
        shutil.copy(program.tales, model)
        for file in (copy, model):
            file.chmod(0o755)
        child = subprocess.Popen([copy, "quantize", model, locked / "out.gguf", "Q8_0"], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, **user)
        self.expect_refusal(child, MACHINE_CANNOT, b"Permission denied")

    def test_source_truncated_meanwhile(self):
        for left in (0, 200_000, 3_000_000):
            source = self.dir / "in.gguf"
            shutil.copy(program.tales, source)
            child = self.slow(source)
            self.wait_for_work(child)
            os.truncate(source, left)
            self.expect_refusal(child, BAD_INPUT, b"in.gguf: ", b"became shorter")

    def test_nan_and_infinity(self):
        tensors = self.json("inspect", program.tales)["tensors"]
        tensor = next(t for t in tensors if t["name"] == "blk.3.ffn_up.weight")
        offset = tensor["file_offset"] + 2 * (256 * 700 + 17)
        for bits, word in ((0x7e00, "NaN"), (0x7c00, "infinity"), (0xfc00, "-infinity")):
            content = bytearray(program.tales.read_bytes())
            struct.pack_into("<H", content, offset, bits)
            source = self.file("in.gguf", content)
            for kind in ("Q4_K_M", "F16"):
                err = self.refused("quantize", source, self.out, kind,
                                   says=f"blk.3.ffn_up.weight at byte {offset}: row 700, column 17 is {word}")
                self.assertFalse(self.out.exists(), err)

    def imatrix(self):
        """Of the embedded model, each column as important as the others."""
        parts = []
        for t in self.json("inspect", program.tales)["tensors"]:
            if t["name"].startswith("blk.") and "norm" not in t["name"]:
                n = t["shape"][-1]
                name = t["name"].encode()
                parts.append(struct.pack("<i", len(name)) + name + struct.pack("<ii", 1, n) + struct.pack("<f", 1) * n)
        return self.file("imatrix.dat", struct.pack("<i", len(parts)) + b"".join(parts))


program.path = str(pathlib.Path(sys.argv[1]).resolve())
result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.loadTestsFromTestCase(Faults))
sys.exit(not result.wasSuccessful())
