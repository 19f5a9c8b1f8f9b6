"""The case that started Assay (docs/case-study.md), replayed on the embedded model."""
import json

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
        rows = self.compare(*files, "--anchor", program.tales, "--draws", 8)
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

        # Each cause of the tokens by name.
        text = "Once upon a time\nthere was 1"
        ids = self.ids(text)
        newline, space = self.ids("a\nb")[2], self.ids("1")[1]
        for wrong, fault in [([space if i == newline else i for i in ids], "newline-as-space"), (ids + [2], "eos-appended")]:
            out, _ = self.assay("diagnose", program.tales, "--tokens", ",".join(map(str, wrong)), "--text", text, "--json",
                                status=program.FAULT_FOUND)
            found = json.loads(out)
            self.assertIn(fault, [c["id"] for c in found["candidates"]], found)

    def ids(self, text):
        return self.json("tokenize", program.tales, text)["ids"]
