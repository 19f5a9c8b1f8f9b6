"""docs/trace-format.md: its programs write what it says, and its names are those that assay trace writes."""
import json
import re
import shutil
import struct
import subprocess

import program

PAGE = program.source / "docs" / "trace-format.md"
MODELS = [program.tales, *sorted((program.golden / "models").rglob("*.gguf"))]
DRIVER = """
int main(int, char** arguments) {
  write_dump(arguments[1], {{"a-0", {2, 3}, {1, 2, 3, 4, 5, 6}}, {"b:ADD", {1}, {0.5f}}}, "1,2");
}
"""


def snippet(language):
    return re.search(rf"```{language}\n(.*?)```", PAGE.read_text(), re.S)[1]


def read_dump(path):
    """As the format's own documentation says it."""
    content = path.read_bytes()
    n_header, = struct.unpack_from("<Q", content)
    header = json.loads(content[8:8 + n_header])
    metadata = header.pop("__metadata__")
    data = content[8 + n_header:]
    tensors = {}
    for name, about in header.items():
        begin, end = about["data_offsets"]
        assert about["dtype"] == "F32"
        tensors[name] = (about["shape"], list(program.floats(data[begin:end])))
    return metadata, tensors


class TraceFormat(program.Case):
    EXPECTED = ({"tokens": "1,2"}, {"a-0": ([2, 3], [1, 2, 3, 4, 5, 6]), "b:ADD": ([1], [0.5])})

    def test_python(self):
        names = {}
        exec(snippet("python"), names)
        target = self.dir / "dump.safetensors"
        names["write_dump"](target, self.EXPECTED[1], [1, 2])
        self.assertEqual(read_dump(target), self.EXPECTED)

    def test_cpp(self):
        code = self.file("dump.cpp", (snippet("cpp") + DRIVER).encode())
        compiler = shutil.which("c++") or self.skipTest("no c++")
        subprocess.run([compiler, "-std=c++17", "-Wall", "-Wextra", "-Werror", code, "-o", self.dir / "dump"], check=True)
        subprocess.run([self.dir / "dump", self.dir / "dump.safetensors"], check=True)
        self.assertEqual(read_dump(self.dir / "dump.safetensors"), self.EXPECTED)

    def test_rust(self):
        compiler = shutil.which("rustc") or self.skipTest("no rustc")
        main = ('fn main() { write_dump(&std::env::args().nth(1).unwrap(), &[("a-0", vec![2, 3], vec![1., 2., 3., 4., 5., 6.]), '
                '("b:ADD", vec![1], vec![0.5])], "1,2").unwrap(); }')
        code = self.file("dump.rs", (snippet("rust") + main).encode())
        subprocess.run([compiler, code, "-o", self.dir / "dump"], check=True)
        subprocess.run([self.dir / "dump", self.dir / "dump.safetensors"], check=True)
        self.assertEqual(read_dump(self.dir / "dump.safetensors"), self.EXPECTED)

    def test_names(self):
        """The page lists every name that a model of any architecture gives, and no other."""
        written = set()
        for model in MODELS:
            listed = self.json("trace", model, "--tokens", "1,2,3", "--output", self.dir / "t.safetensors")
            written |= {re.sub(r"-\d+(?=:|$)", "-N", tensor["name"]) for tensor in listed["tensors"]}
        table = PAGE.read_text().split("## Names")[1].split("## The file")[0]
        rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
        documented = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
        # Plain, a name of several operations means the last of them.
        self.assertEqual(written | {"result_output", "Qcur-N", "Kcur-N"}, documented)
