"""Help, usage errors, and files that are no models, for every command."""
import os
import subprocess

import program

COMMANDS = ["run", "chat", "inspect", "tokenize", "template", "logits", "trace", "imatrix", "quantize", "perplexity",
            "decode"]
# What each command needs beside its file, to get as far as opening it.
REST = {"run": ["x"], "imatrix": ["x", "-o", "out"], "quantize": ["out", "Q8_0"], "perplexity": ["x"], "tokenize": ["x"], "logits": ["--tokens", "1", "-o", "out"],
        "trace": ["--tokens", "1", "-o", "out"]}


class Usage(program.Case):
    def test_version_and_help(self):
        self.assertRegex(self.assay("--version")[0], rb"^assay \d+\.\d+\.\d+\n$")
        for arguments in [["--help"], []]:
            out, err = self.assay(*arguments)
            self.assertEqual(err, "")
            for command in COMMANDS:
                self.assertIn(command.encode(), out)
        for command in COMMANDS:
            out, err = self.assay(command, "--help")
            self.assertIn(b"Example: assay " + command.encode(), out)
            self.assertEqual(err, "")

    def test_bad_usage(self):
        self.refused("frobnicate")
        self.refused("--frobnicate")
        for command in COMMANDS:
            with self.subTest(command):
                self.refused(command, says=f"`assay {command} --help`")
                self.refused(command, program.tiny, "--frobnicate", "1")

    def test_files_that_are_no_models(self):
        content = program.tiny.read_bytes()
        head = content[:4]
        bad = [self.dir / "absent.gguf", self.dir, self.file("empty", b""), self.file("noise", os.urandom(4096)),
               self.file("magic", head), self.file("half", content[:len(content) // 2]),
               self.file("version", head + b"\x01\0\0\0" + content[8:]), self.file("text", b"hello\n"),
               self.file("wild\x1b[2Jname", b"x")]
        for command in COMMANDS[:-1]:  # decode reads blocks, not models
            for path in bad:
                with self.subTest(command=command, path=path):
                    err = self.refused(command, path, *REST.get(command, []))
                    self.assertIn(str(path).replace("\x1b", "\\x1B"), err)
                    self.assertNotIn("\x1b", err)

    def test_a_reader_that_goes_away_is_no_error(self):
        process = subprocess.Popen([program.path, "inspect", program.tales, "--json"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdout.read(1)
        process.stdout.close()
        err = process.stderr.read()
        process.stderr.close()
        self.assertEqual((process.wait(), err), (program.DONE, b""))

    def test_a_full_disk_is_an_error(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        for arguments in [["--help"], ["inspect", program.tiny], ["tokenize", program.tiny, "x"]]:
            with open("/dev/full", "wb") as full:
                done = subprocess.run([program.path, *arguments], stdout=full, stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, program.MACHINE_CANNOT)
            self.assertIn(b"assay: standard output", done.stderr)
