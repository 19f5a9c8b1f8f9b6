"""assay bench: what it prints is whole and its arithmetic is right; how fast is no matter of a test."""
import json

import program


class Bench(program.Case):
    def bench(self, *arguments):
        out, _ = self.assay("bench", *arguments)
        return out.decode()

    def test_prints_limits_and_rates(self):
        out = self.bench(program.tiny, "-p", 8, "-n", 4, "-r", 1)
        for word in ("machine ", "limits ", "model ", "prefill ", "generate "):
            self.assertIn("\n" + word, "\n" + out)

    def test_sequences_are_measured_in_turn(self):
        told = json.loads(self.bench(program.tiny, "-p", 0, "-n", 2, "-r", 2, "-s", "1,3", "--json"))
        self.assertNotIn("prefill", told)
        self.assertEqual([g["sequences"] for g in told["generate"]], [1, 3])
        for g in told["generate"]:
            self.assertGreater(g["low"], 0)
            self.assertGreaterEqual(g["high"], g["per_second"])
            self.assertGreaterEqual(g["per_second"], g["low"])

    def test_shares_count_the_kv_cache(self):
        def read_bytes(depth):  # a token's, from share, rate and limit
            told = json.loads(self.bench(program.tiny, "-p", 0, "-n", 2, "-r", 1, "-d", depth, "--json"))
            g = told["generate"]
            return g["share_of_read"] / g["per_second"] * g["read_gb_per_s"] * 1e9

        about = json.loads(self.assay("inspect", program.tiny, "--json")[0])
        keys = about["metadata"]
        head_dim = keys["llama.embedding_length"] // keys["llama.attention.head_count"]
        position = 2 * 2 * keys["llama.block_count"] * keys["llama.attention.head_count_kv"] * head_dim
        self.assertAlmostEqual((read_bytes(40) - read_bytes(8)) / (32 * position), 1, places=6)

    def test_refusals(self):
        self.refused("bench", says="give MODEL or --synthetic")
        self.refused("bench", program.tiny, "-s", 0, says="--sequences")
