"""assay decode against the golden blocks."""
import program


def same(a, b):
    """Equal floats, -0 = +0, NaN = NaN."""
    return len(a) == len(b) and all(x == y or (x != x and y != y) for x, y in
                                    zip(program.floats(a), program.floats(b)))


class Decode(program.Case):
    def test_every_type_equals_the_golden_floats(self):
        blocks = sorted((program.golden / "quant").glob("*.blocks"))
        self.assertGreater(len(blocks), 50)
        for path in blocks:
            with self.subTest(path.name):
                out = self.dir / "out.f32"
                self.assay("decode", "--type", path.name.split(".")[0], path, out)
                self.assertTrue(same(out.read_bytes(), path.with_suffix(".f32").read_bytes()))

    def test_pipes(self):
        path = program.golden / "quant" / "Q4_K.raw.blocks"
        out, err = self.assay("decode", "--type", "q4_k", "-", "-", stdin=path.read_bytes())
        self.assertTrue(same(out, path.with_suffix(".f32").read_bytes()))
        self.assertEqual(err, "")

    def test_refusals(self):
        out = self.dir / "out.f32"
        block = bytes(144)
        self.refused("decode", "--type", "Q4_2", self.file("b", block), out, says="Q4_K")
        self.refused("decode", "--type", "Q4_K", self.file("b", block[:-1]), out, says="block 0 at byte 0")
        self.refused("decode", "--type", "Q4_K", self.file("b", block * 5000 + b"x"), out,
                     says=f"block 5000 at byte {5000 * 144}")
        self.refused("decode", "--type", "Q4_K", self.file("b", b""), out, says="empty")
        self.refused("decode", "--type", "Q4_K", self.dir, out)
        self.refused("decode", "--type", "Q4_K", self.dir / "absent", out)
        self.refused("decode", "--type", "Q4_K", self.file("b", block), self.dir)
        self.refused("decode", "--type", "Q4_K", self.file("b", block), self.dir / "no" / "out",
                     status=program.MACHINE_CANNOT)
        self.assertEqual([p.name for p in self.dir.iterdir()], ["b"])  # nothing half-written
