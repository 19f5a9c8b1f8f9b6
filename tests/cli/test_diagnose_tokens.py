"""assay diagnose --tokens and --endpoint."""
import http.server
import json
import signal
import subprocess
import threading
import time

import program

PROMPT = "Once upon a time.\nThe King said"


class Tokens(program.Case):
    def ids(self, text, *options):
        return self.json("tokenize", program.tales, text, *options)["ids"]

    def diagnose(self, ids, *options, status):
        given = ids if isinstance(ids, str) else ",".join(map(str, ids))
        out, err = self.assay("diagnose", program.tales, "--tokens", given, *options, "--json", status=status)
        self.assertEqual(err, "")
        return json.loads(out)

    def test_healthy(self):
        finding = self.diagnose(self.ids(PROMPT), "--text", PROMPT, status=program.DONE)
        self.assertEqual((finding["verdict"], finding["candidates"]), ("no fault found", []))
        self.assertTrue(finding["refusals"])  # names what this prompt cannot show

    def test_the_story(self):
        """RusTorch: newlines became spaces, and EOS came behind."""
        ids = self.ids(PROMPT.replace("\n", " ")) + [2]
        finding = self.diagnose(ids, "--text-file", self.file("p", PROMPT.encode()), status=program.FAULT_FOUND)
        self.assertEqual(finding["verdict"], "fault")
        candidate, = finding["candidates"]
        self.assertEqual({candidate["id"], *candidate["along"]}, {"newline-as-space", "eos-appended"})
        self.assertIn("id 7 of 11", finding["place"])
        self.assertIn("white space", finding["place"])

    def test_ids_from_files(self):
        dump = json.dumps({"tokens": [{"id": i} for i in self.ids(PROMPT, "--no-bos")]}).encode()
        finding = self.diagnose(str(self.file("ids.json", dump)), "--text", PROMPT, status=program.FAULT_FOUND)
        self.assertEqual([c["id"] for c in finding["candidates"]], ["bos-missing"])
        out, err = self.assay("diagnose", program.tales, "--tokens", "-", "--text", PROMPT, stdin=dump,
                              status=program.FAULT_FOUND)
        self.assertIn(b"BOS is missing", out)

    def test_templates(self):
        parts = program.GgufParts(program.tales.read_bytes())
        parts.set_string(b"tokenizer.chat_template", b"{% for m in messages %}{{ m.role }}:\n{{ m.content }}\n{% endfor %}"
                         b"{% if add_generation_prompt %}assistant:\n{% endif %}")
        model = self.file("chat.gguf", parts.join())
        talk = self.file("talk.json", b'[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]')
        right = self.json("template", model, "--messages", talk)["ids"]
        short = self.json("template", model, "--messages", talk, "--no-generation-prompt")["ids"]
        for ids, status, found in [(right, program.DONE, []),
                                   (short, program.FAULT_FOUND, ["generation-prompt-missing"])]:
            out, err = self.assay("diagnose", model, "--tokens", ",".join(map(str, ids)), "--messages", talk, "--json",
                                  status=status)
            self.assertEqual([c["id"] for c in json.loads(out)["candidates"]], found)

    def test_refusals(self):
        self.refused("diagnose", program.tales, "--tokens", "1,2", says="--text")
        self.refused("diagnose", program.tales, "--tokens", "1,2", "--text", "a", "--text-file", "b", says="one of")
        self.refused("diagnose", program.tales, "--tokens", "1,2", "--text", b"\xff", says="UTF-8")
        self.refused("diagnose", program.tales, "--tokens", "1,99999999999", "--text", "a", says="item 2")
        self.refused("diagnose", program.tales, "--tokens", self.dir / "absent", "--text", "a")
        self.refused("diagnose", program.tales, "--tokens", self.file("t", b"{"), "--text", "a", says="JSON")
        self.refused("diagnose", program.tales, "--tokens", "1", "--messages", self.file("m", b"[]"), says="template")
        self.assertEqual(self.diagnose("1", "--text", "", status=program.DONE)["verdict"], "not enough data")


class Endpoint(program.Case):
    def serve(self, answer):
        """A server on 127.0.0.1; `answer(handler)` writes the answer to a POST."""
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                answer(self)

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_address[1]}"

    def test_refusals(self):
        def say(status, body):
            def answer(handler):
                handler.send_response(status)
                handler.end_headers()
                handler.wfile.write(body)
            return answer

        self.refused("diagnose", program.tales, "--endpoint", "nowhere", says="URL")
        self.refused("diagnose", program.tales, "--endpoint", "http://127.0.0.1:1", says="no answer")
        for status, body, says in [(500, b'{"error": {"message": "busy"}}', "busy"), (200, b"<html>", "JSON"),
                                   (200, b'{"choices": [{"text": "a"}]}', "log-probabilities")]:
            self.refused("diagnose", program.tales, "--endpoint", self.serve(say(status, body)), says=says)

    def test_ctrl_c(self):
        asked = threading.Event()

        def hang(handler):
            asked.set()
            time.sleep(20)

        process = subprocess.Popen([program.path, "diagnose", program.tales, "--endpoint", self.serve(hang)],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertTrue(asked.wait(60))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
        self.assertEqual((out, process.returncode), (b"", program.MACHINE_CANNOT), err)
