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

    def test_a_tensor_and_faults_in_it(self):
        def values(*more):
            self.assay("decode", program.tiny, self.dir / "w", "--tensor", "blk.0.attn_q.weight", *more)
            return program.floats((self.dir / "w").read_bytes())

        right = values()
        self.assay("decode", program.tiny, self.dir / "w.npy", "--tensor", "blk.0.attn_q.weight")
        npy = (self.dir / "w.npy").read_bytes()
        self.assertIn(b"'shape': (256, 256, )", npy[:128])
        self.assertEqual(program.floats(npy[128:]), right)
        halved = values("--inject", "k-first-scale-only")
        self.assertEqual([halved[i] == right[i] for i in range(32)], [True] * 32)  # sub-block 0
        moved = values("--inject", "square-transposed")
        both = values("--inject", "k-first-scale-only,square-transposed")
        self.assertTrue(halved != right != moved and sorted(moved) == sorted(right))
        # The decoder's fault, in the layout's places.
        self.assertTrue(both != halved and sorted(both) == sorted(halved))

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
        self.refused("decode", program.tiny, out, says="--type")
        self.refused("decode", program.tiny, out, "--tensor", "no.such", says="no.such")
        self.refused("decode", program.tiny, out, "--tensor", "output.weight", "--inject", "rope-pairs",
                     says="touch")
        self.refused("decode", program.tiny, out, "--tensor", "blk.0.attn_q.weight", "--inject",
                     "k-first-scale-only,k-scales-linear", says="decoder")
        self.assertEqual([p.name for p in self.dir.iterdir()], ["b"])  # nothing half-written
