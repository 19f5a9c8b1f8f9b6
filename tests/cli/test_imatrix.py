"""assay imatrix: files that the quantizer takes, stopped and resumed, merged."""
import signal
import subprocess
import time

import program

SAMPLE = program.source / "models" / "tales-sample.txt"


class Imatrix(program.Case):
    def make(self, name, *options, text=SAMPLE):
        target = self.dir / name
        self.assay("imatrix", program.tales, text, "-c", 64, "-o", target, *options)
        return target

    def test_the_quantizer_takes_it(self):
        imatrix = self.make("im.gguf", "--chunks", 6, "--process-output")
        summary = self.json("imatrix", program.tales, SAMPLE, "-c", 64, "--chunks", 6, "-o", self.dir / "again.gguf",
                            "--process-output", "-t", 1)
        self.assertEqual((summary["entries"], summary["chunks"], summary["chunk_size"]), (43, 6, 64))
        self.assertEqual(summary["datasets"], ["tales-sample.txt"])
        self.assertEqual((self.dir / "again.gguf").read_bytes(), imatrix.read_bytes())
        self.refused("quantize", program.tales, self.dir / "q.gguf", "IQ2_XXS")
        self.assay("quantize", program.tales, self.dir / "q.gguf", "IQ2_XXS", "--imatrix", imatrix)

    def test_merge(self):
        one = self.make("one.gguf", "--chunks", 4)
        both = self.dir / "both.gguf"
        self.assay("imatrix", "--in-file", one, "--in-file", one, "-o", both)
        self.assertEqual(self.json("imatrix", "--in-file", both, "-o", self.dir / "x.gguf")["chunks"], 8)
        with_text = self.make("with.gguf", "--chunks", 4, "--in-file", one)
        self.assertEqual(self.json("imatrix", "--in-file", with_text, "-o", self.dir / "x.gguf")["chunks"], 8)

    def test_killed_and_resumed(self):
        target = self.dir / "im.gguf"
        command = [program.path, "imatrix", program.tales, SAMPLE, "-c", "64", "-o", target, "--save-every", "1",
                   "--backend", "exact"]
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while not target.exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, program.DONE, err)
        self.assertIn(b"--resume", err)
        done = self.json("imatrix", "--in-file", target, "-o", self.dir / "x.gguf")["chunks"]
        more = self.json("imatrix", program.tales, SAMPLE, "-c", 64, "-o", target, "--chunks", done + 3, "--resume")
        self.assertEqual(more["chunks"], done + 3)
        self.refused("imatrix", program.tales, SAMPLE, "-c", 32, "-o", target, "--resume", says="--resume")
        self.refused("imatrix", program.tales, self.file("other.txt", SAMPLE.read_bytes()), "-c", 64, "-o", target,
                     "--resume", says="--resume")

    def test_refusals(self):
        out = self.dir / "out.gguf"
        self.refused("imatrix", "-o", out, says="nothing to do")
        self.refused("imatrix", program.tales, "-o", out, says="TEXT")
        self.refused("imatrix", program.tales, SAMPLE, says="--output")
        self.refused("imatrix", "--in-file", program.tales, "-o", out)
        self.refused("imatrix", program.tales, self.file("short", b"a few words"), "-o", out, says="two chunks")
        self.refused("imatrix", program.tales, SAMPLE, "-c", 64, "--chunks", 1, "-o", self.dir / "no" / "x",
                     status=program.MACHINE_CANNOT)
        self.assertFalse(out.exists())
