"""assay run and assay chat: text."""
import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time

import program

PROMPT = "Once upon a time"


class Run(program.Case):
    def run_tales(self, *arguments, **more):
        return self.assay("run", program.tales, *arguments, **more)

    def test_a_seed_gives_the_same_text_however_it_is_computed(self):
        text, err = self.run_tales(PROMPT, "-n", 40, "--seed", 7)
        self.assertEqual(err, "")
        self.assertTrue(text.decode().startswith(PROMPT))
        self.assertGreater(len(text), len(PROMPT) + 40)
        self.assertTrue(text.endswith(b"\n"))
        for options in [[], ["-t", 1], ["-t", 2], ["--batch", 1], ["-c", 100], ["--backend", "twin"]]:
            with self.subTest(options):
                self.assertEqual(self.run_tales(PROMPT, "-n", 40, "--seed", 7, *options)[0], text)
        self.assertNotEqual(self.run_tales(PROMPT, "-n", 40, "--seed", 8)[0], text)
        greedy = self.run_tales(PROMPT, "-n", 40, "--temp", 0)[0]
        self.assertEqual(self.run_tales(PROMPT, "-n", 40, "--top-k", 1)[0], greedy)

    def test_a_rounded_cache_gives_one_text_too(self):
        options = ["-n", 60, "--seed", 7, "--kv", "q8_0"]
        text = self.run_tales(PROMPT, *options)[0]
        for more in [["-t", 1], ["-t", 2], ["--batch", 1], ["--batch", 3], ["--backend", "twin"]]:
            with self.subTest(more):
                self.assertEqual(self.run_tales(PROMPT, *options, *more)[0], text)

    def test_prompt_from_argument_file_and_pipe(self):
        options = ["-n", 12, "--temp", 0]
        text = self.run_tales(PROMPT, *options)[0]
        file = self.file("prompt.txt", PROMPT.encode() + b"\n")
        self.assertEqual(self.run_tales("-f", file, *options)[0], text)
        self.assertEqual(self.run_tales("--file", "-", *options, stdin=PROMPT.encode())[0], text)
        self.assertEqual(self.run_tales(*options, stdin=PROMPT.encode() + b"\n")[0], text)
        self.assertEqual(self.run_tales(PROMPT, "-q", *options)[0], text[len(PROMPT):])
        self.assertGreater(len(self.run_tales(*options, stdin=b"")[0]), 12)  # from BOS alone

    def test_length(self):
        self.assertEqual(self.run_tales(PROMPT, "-n", 0)[0].decode(), PROMPT + "\n")
        out, err = self.run_tales(PROMPT, "-n", 5, "--ignore-eos", "--stats")
        self.assertIn("4 tokens", err)  # steps: the first token comes from the prompt

    def test_context_full_is_said_in_words(self):
        out, err = self.run_tales(PROMPT, "-c", 16, "--ignore-eos", "--temp", 0)
        self.assertIn("context of 16 tokens is full", err)
        self.assertGreater(len(out), len(PROMPT) + 16)
        self.assertIn(b"Once", out)

    def test_a_model_file_that_shrinks_meanwhile_ends_the_run_in_words(self):
        copy = self.file("model.gguf", program.tales.read_bytes())
        with subprocess.Popen([program.path, "run", copy, PROMPT, "--backend", "exact", "--ignore-eos", "-n", "400"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            child.stdout.read(len(PROMPT) + 1)  # it has begun to generate
            os.truncate(copy, 4096)
            _, err = child.communicate(timeout=60)
        self.assertEqual(child.returncode, program.MACHINE_CANNOT, err)
        self.assertIn(b"a file became unreadable or shorter while it was in use", err)

    def test_stop_strings(self):
        text = self.run_tales(PROMPT, "-n", 40, "--temp", 0, "-q")[0].decode()
        stop = text[20:27]
        for options in [["--stop", stop], ["--stop", "never in there", "--stop", stop]]:
            stopped = self.run_tales(PROMPT, "-n", 40, "--temp", 0, "-q", *options)[0].decode()
            self.assertEqual(stopped.rstrip("\n"), text[:text.index(stop)].rstrip("\n"))

    def test_stats_and_warnings_stay_off_standard_output(self):
        text = self.run_tales(PROMPT, "-n", 8, "--temp", 0)[0]
        out, err = self.run_tales(PROMPT, "-n", 8, "--temp", 0, "--stats", "-c", 600)
        self.assertEqual(out, text)
        for word in ["warning", "load", "prompt", "generation", "first text", "memory", "seed"]:
            self.assertIn(word, err)

    def test_guessing_ahead_changes_no_text(self):
        for options in [["--temp", 0], ["--seed", 3, "--temp", 0.9]]:
            plain = self.run_tales(PROMPT, "-n", 60, *options)[0]
            for ahead in [["--lookup"], ["--lookup", "--draft-max", 2], ["--draft", program.tales]]:
                out, err = self.run_tales(PROMPT, "-n", 60, "--stats", *options, *ahead)
                self.assertEqual(out, plain, ahead)
                self.assertIn("came true", err)
        self.refused("run", program.tales, PROMPT, "--draft", program.tiny, says="another vocabulary")
        self.refused("run", program.tales, PROMPT, "--draft", program.tales, "--lookup")

    def test_wild_text_is_whole_characters(self):
        for seed in range(3):
            out, err = self.assay("run", program.tiny, "x", "-n", 60, "--temp", 5, "--top-k", 0, "--top-p", 1,
                                  "--min-p", 0, "--ignore-eos", "--seed", seed)
            out.decode()

    def test_dry_ends_repetition(self):
        """Greedy text of the small model goes in circles; the penalty breaks them, and a breaker mends that again."""
        def circles(*options):
            words = self.run_tales(PROMPT, "-n", 150, "--temp", 0, *options)[0].decode().split()
            runs = [tuple(words[i:i + 5]) for i in range(len(words) - 4)]
            return len(runs) - len(set(runs))
        plain = circles()
        self.assertGreater(plain, 10)
        self.assertLess(circles("--dry-multiplier", 5), plain / 3)
        self.assertEqual(circles("--dry-multiplier", 5, "--dry-sequence-breaker", "e",
                                 "--dry-allowed-length", 30), plain)

    def test_refusals(self):
        long = "word " * 600
        for bad in [[long], [b"a\xffb"], [PROMPT, "-n", "-1"], [PROMPT, "-n", "x"], [PROMPT, "-c", "0"],
                    [PROMPT, "-c", "-5"], [PROMPT, "-c", "3"], [PROMPT, "--temp", "nan"], [PROMPT, "--temp", "1e9"],
                    [PROMPT, "--top-p", "2"], [PROMPT, "--min-p", "-1"], [PROMPT, "--seed", "x"],
                    [PROMPT, "--samplers", "magic"], [PROMPT, "--logit-bias", "5"], [PROMPT, "--logit-bias", "99999+1"],
                    [PROMPT, "--stop", ""], [PROMPT, "--dry-sequence-breaker", ""], [PROMPT, "--dry-base", "0"],
                    [PROMPT, "--xtc-probability", "2"], [PROMPT, "--backend", "magic"], [PROMPT, "--repeat-penalty", "0"],
                    [PROMPT, "--file", self.dir / "absent"], ["--file", self.dir / "absent"], ["-f", self.dir]]:
            with self.subTest(bad if bad != [long] else "long"):
                self.refused("run", program.tales, *bad)
        self.refused("run", program.tales, PROMPT, "-c", 1 << 29, status=program.MACHINE_CANNOT)
        parts = program.GgufParts(program.tiny.read_bytes())
        for key in [b"tokenizer.ggml.bos_token_id", b"tokenizer.ggml.add_bos_token"]:
            parts.pairs.pop(key, None)
        parts.pairs[b"tokenizer.ggml.add_bos_token"] = b"\x07\0\0\0\0"
        self.refused("run", self.file("no-bos.gguf", parts.join()), "", says="no tokens")

    def test_interrupted(self):
        process = subprocess.Popen([program.path, "run", program.tales, PROMPT, "--backend", "exact", "--ignore-eos",
                                    "--stats"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        n_read = 0
        while n_read < len(PROMPT) + 5:
            n_read += len(process.stdout.read1(64))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, program.DONE)
        self.assertTrue(out.endswith(b"\n"))
        self.assertIn(b"generation", err)

    def test_the_reader_goes_away(self):
        process = subprocess.Popen([program.path, "run", program.tales, PROMPT, "--ignore-eos"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.read1(8)
        process.stdout.close()
        err = process.stderr.read()
        process.stderr.close()
        self.assertEqual((process.wait(timeout=60), err), (program.DONE, b""))


class Chat(program.Case):
    def setUp(self):
        super().setUp()
        template = self.file("t.jinja", b"{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:")
        self.chat = ["chat", program.tales, "--chat-template", template, "-n", 10, "--temp", 0]

    def answers(self, *lines, options=()):
        out, err = self.assay(*self.chat, *options, stdin="\n".join(lines).encode())
        return out.decode(), err

    def test_conversation(self):
        one, err = self.answers("Hello there")
        self.assertEqual(err, "")
        self.assertTrue(one.strip())
        both = self.answers("Hello there", "And then?")[0]
        self.assertTrue(both.startswith(one))
        self.assertGreater(len(both), len(one))
        # The part of the conversation that is in the cache gives what computing it anew gives.
        self.assertEqual(self.answers("Hello there", "And then?", options=["--batch", "1"])[0], both)
        self.assertEqual(self.answers("And then?", "/reset", "", "Hello there", "/exit", "unread")[0],
                         self.answers("And then?")[0] + one)
        self.assertNotEqual(self.answers("Hello there", options=["--system", "Be brief."])[0], one)

    def test_what_does_not_fit(self):
        out, err = self.answers("Hello there", "word " * 200, "Hello", options=["-c", "128"])
        self.assertIn("/reset", err)

    def test_refusals(self):
        self.refused("chat", program.tales, says="no chat template")
        out, err = self.assay(*self.chat, stdin=b"a\xffb\nHello\n")
        self.assertIn("UTF-8", err)
        self.assertTrue(out.strip())

    def test_on_a_terminal(self):
        """A prompt sign, an answer that Ctrl-C stops, a conversation that goes on, Ctrl-D that ends it."""
        ours, theirs = pty.openpty()
        endless = [*self.chat, "-n", 100000, "-c", 512, "--ignore-eos", "--backend", "exact"]
        process = subprocess.Popen([program.path, *map(str, endless)], stdin=theirs, stdout=theirs, stderr=theirs,
                                   start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(theirs)
        self.addCleanup(os.close, ours)
        self.addCleanup(process.kill)

        def until(what):
            seen = b""
            while what not in seen:
                self.assertTrue(select.select([ours], [], [], 60)[0], seen)
                seen += os.read(ours, 4096)
            return seen
        self.assertIn(b"Ctrl-C", until(b"> "))
        os.write(ours, b"Hello there\n")
        until(b"Hello there\r\n")
        self.assertTrue(os.read(ours, 4096))  # of the answer
        os.write(ours, b"\x03")
        until(b"\r\n> ")
        os.write(ours, b"/reset\n")
        until(b"> ")
        os.write(ours, b"\x04")
        self.assertEqual(process.wait(timeout=60), program.DONE)

    def test_interrupted_while_waiting(self):
        process = subprocess.Popen([program.path, *map(str, self.chat)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdin.write(b"Hello there\n")
        process.stdin.flush()
        process.stdout.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual((process.returncode, err), (program.DONE, b""))
