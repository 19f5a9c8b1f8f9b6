"""The readers of examples/ give right answers, and a spoiled one is marked wrong: test_conform_readers.py ASSAY CC."""
import json
import pathlib
import subprocess
import sys
import tempfile

assay, compiler = sys.argv[1:]
examples = pathlib.Path(__file__).resolve().parents[2] / "examples"

with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)

    def check(status):
        done = subprocess.run([assay, "conform", "check", folder, "--json"], stdout=subprocess.PIPE)
        assert done.returncode == status, done
        return {t["type"]: t for t in json.loads(done.stdout)["types"] if t["answered"]}

    subprocess.run([assay, "conform", "export", folder], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([sys.executable, "-B", examples / "conform_reader.py", folder], check=True)
    reader = folder / "reader"
    subprocess.run([compiler, "-std=c99", "-Wall", "-Wextra", "-Werror", "-o", reader, examples / "conform_reader.c", "-lm"],
                   check=True)
    subprocess.run([reader, folder], check=True)
    marks = check(0)
    assert sorted(marks) == ["Q4_0", "Q4_K", "Q8_0"], marks
    assert all(t["wrong"] == 0 and t["weights"] > 0 for t in marks.values()), marks

    answer = folder / "Q4_0.answer.f32"  # halves exchanged: the nibbles in the wrong order
    floats = answer.read_bytes()
    answer.write_bytes(b"".join(floats[at + 64:at + 128] + floats[at:at + 64] for at in range(0, len(floats), 128)))
    mark = check(1)["Q4_0"]
    assert mark["wrong"] > 0 and [f["id"] for f in mark["faults"]] == ["nibbles-exchanged"], mark
    answer.write_bytes(bytes(len(floats)))
    assert check(1)["Q4_0"]["misread"] == ["d"], "a step read as zero"
