"""The case that started Assay (docs/case-study.md), replayed on the embedded model."""
import json
import re
import shlex
import struct
import subprocess

import program

TYPES = ["Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M"]
# As the engine had them: a newline becomes a space marker, EOS is appended; the embedding and the matrices are read
# column by column; every position is 0.
OF_TOKENS, OF_THE_ENGINE = ["newline-as-space", "eos-appended"], ["embedding-transposed", "square-transposed", "rope-missing"]


class Story(program.Case):
    def compare(self, *arguments, status=program.DONE):
        out, _ = self.assay("compare", *arguments, "--json", status=status)
        return json.loads(out)["rows"]

    def test_story(self):
        files = [self.dir / f"tales-{kind}.gguf" for kind in TYPES]
        for file, kind in zip(files, TYPES):
            self.assay("quantize", program.tales, file, kind, "--effort", "fast")

        # Healthy: four rows, and all of them ok.
        rows = self.compare(*files, "--anchor", program.tales, "-n", 128, "--draws", 8)
        self.assertEqual([row["verdict"] for row in rows], ["ok"] * 4, [row["reason"] for row in rows])

        # The author's prompt is no evidence either way.
        rows = self.compare(*files, "--anchor", program.tales, "-p", "1", "--greedy", 1)
        self.assertEqual([row["verdict"] for row in rows], ["not enough data"] * 4)

        # Four wrong rows that agree are not blessed: not with all faults at once, on the author's own prompt,
        faults = OF_TOKENS + OF_THE_ENGINE
        rows = self.compare(*files, "--anchor", program.tales, "-p", "1", "--greedy", 1, "--inject", ",".join(faults),
                            status=program.FAULT_FOUND)
        self.assertEqual([row["verdict"] for row in rows], ["fault"] * 4)
        self.assertGreaterEqual(sum(row["top"]["id"] == rows[0]["top"]["id"] for row in rows), 2)
        for row in rows:
            self.assertIn("</s>", row["reason"])
        # nor with those of the weights and positions, where the tokens are right.
        rows = self.compare(*files, "--anchor", program.tales, "-n", 32, "--draws", 8, "--greedy", 1, "--inject",
                            ",".join(OF_THE_ENGINE), status=program.FAULT_FOUND)
        for row in rows:
            self.assertEqual(row["verdict"], "fault")
            self.assertTrue(row["reason"].startswith("logits: "), row["reason"])

    def test_each_cause_by_its_name(self):
        """Runs the page's last section: the page must name what the program names, and those must be the causes."""
        self.assay("quantize", program.tales, self.dir / "tales-q4_k_m.gguf", "Q4_K_M", "--effort", "fast")
        (self.dir / "tales-6m-f16.gguf").symlink_to(program.tales)
        prompt = "Once upon a time\nthere was 1"
        self.file("prompt.txt", prompt.encode())
        right = self.ids(prompt)
        wrong = self.ids(prompt.replace("\n", " ")) + [2]
        for name, tensor in [("embd.npy", "token_embd.weight"), ("attn_q.npy", "blk.0.attn_q.weight")]:
            self.file(name, column_by_column(self.json("inspect", program.tales), tensor))

        page = (program.source / "docs" / "case-study.md").read_text()
        said = page[page.index("## Each cause by its name"):]
        named = []
        for command, output in re.findall(r"^\$ assay (.*)\n((?:(?!```|\$ ).*\n)*)", said, re.M):
            arguments = shlex.split(command)
            if "--tokens" in arguments:
                ids = arguments[arguments.index("--tokens") + 1]
                self.assertEqual(ids, joined(wrong if arguments[0] == "diagnose" else right))
            if "--logits" in arguments:
                self.file("logits.npy", result_output(self.dir / "rope.safetensors"))
            done = subprocess.run([program.path, *arguments], cwd=self.dir, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  timeout=120)
            self.assertEqual(done.returncode, program.FAULT_FOUND if output else program.DONE, (command, done.stderr))
            self.assertEqual(names(done.stdout.decode()), names(output), command)
            if output:
                named.append(re.findall(r"^  (?:fault|and) +(\S+)", output, re.M))
        self.assertEqual(named[0], ["newline-as-space", "eos-appended"])
        self.assertIn("embedding-transposed", named[1])
        self.assertIn("square-transposed", named[2])
        self.assertEqual(named[3:], [["square-transposed"], ["rope-missing"], ["rope-missing"]])

    def ids(self, text):
        return self.json("tokenize", program.tales, text)["ids"]


def joined(ids):
    return ",".join(map(str, ids))


def names(finding):
    """A finding without its figures, which differ between processors."""
    return [line for line in finding.splitlines() if re.match(r"\S|  (fault|what|mend|seen in|and|next) ", line)]


def npy(kind, shape, body):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {tuple(shape)}, }}\n".encode()
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + body


def column_by_column(model, name):
    """The dump of an F16 tensor by an engine that takes its rows for columns."""
    [tensor] = [t for t in model["tensors"] if t["name"] == name]
    n_rows, n_cols = tensor["shape"]
    values = struct.unpack_from(f"<{n_rows * n_cols}H", program.tales.read_bytes(), tensor["file_offset"])
    read = [values[i % n_rows * n_cols + i // n_rows] for i in range(n_rows * n_cols)]
    return npy("<f2", (n_rows, n_cols), struct.pack(f"<{len(read)}H", *read))


def result_output(trace):
    content = trace.read_bytes()
    begin = 8 + struct.unpack_from("<Q", content)[0]
    entry = json.loads(content[8:begin])["result_output"]
    first, last = entry["data_offsets"]
    return npy("<f4", entry["shape"], content[begin + first:begin + last])
