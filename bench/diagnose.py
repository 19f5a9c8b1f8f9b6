#!/usr/bin/env python3
"""How well `assay diagnose` names injected faults: docs/diagnosis.md.

Each fault is injected into each model; what the faulty engine dumps (weights, a trace, token ids, logits) goes to
`assay diagnose`, which does not know what was injected. Blind cases leave the fault out of the list as well: what is
then asked for is its place.

    bench/diagnose.py --results build/diagnose.jsonl --quantize models/tales-6m-f16.gguf \\
        --forms weights,trace --sample 5 --page docs/diagnosis.md MODEL.gguf...

--sample N takes N faults of each family that show in the dump, drawn anew for each model and form from --seed; 0 takes
all. --results FILE keeps each case as a line of JSON: what is in it is not run again, so that runs with other forms
and models add up. --page writes all of it between the page's marks.
"""
import argparse
import array
import concurrent.futures
import json
import math
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict

COMPUTED = ("decoder", "layout", "computation")
INJECTED_INTO = {"weights": ("decoder", "layout"), "trace": COMPUTED, "logits": COMPUTED,
                 "tokens": ("tokenizer", "prompt")}
TARGETS = {"weights": 0.95, "trace": 0.95, "tokens": 0.95, "logits": 0.80}
KINDS = ["alone", "equivalent", "family", "unknown", "missed", "wrong"]
INVISIBLE = 3e-5  # relative: what f32 leaves between equal runs, as `diagnose` takes it
QUANTIZED = ["Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M"]
MARKS = ["<!-- Written by bench/diagnose.py from here on -->", "<!-- to here -->"]

# Tensors that a weight fault is looked for in, in this order: the first that it touches is dumped.
ROLES = ["blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight", "blk.0.attn_qkv.weight",
         "blk.0.ffn_down.weight", "blk.1.ffn_down.weight", "blk.0.ffn_up.weight", "blk.0.ffn_down_exps.weight",
         "blk.0.attn_output.weight", "blk.0.attn_norm.weight", "output.weight", "token_embd.weight"]

# Prompts for tokens: the first that shows the fault is the case's.
TEXTS = ["The cat's 3 kittens won't wait: they RAN off at 10:45, didn't they?\n\n  \"Yes,\" said Zoë, naïvely.",
         "  if x >= 1234567:\n\treturn x**2  # 漢字 and 🐉🐲\r\n\r\n\n",
         "Once upon a time   there was a little dog named Max. ",
         "A<s>b</s> <|im_start|>user hello<|im_end|> [INST] <unk> é e\u0301 ﬁ Ⅳ ½ \u00a0 \u200b end",
         "word " * 40, ""]
USER = {"role": "user", "content": "Hello there!\n How's it going? "}
SYSTEM = {"role": "system", "content": "Be brief."}
ANSWER = {"role": "assistant", "content": "Fine. And you?"}
TALKS = [[USER], [SYSTEM, USER], [USER, ANSWER, {"role": "user", "content": " 2 + 2 = <|im_end|>"}],
         [SYSTEM, USER, ANSWER, {"role": "user", "content": "Why?"}]]


class Engine:
    """`assay`, one thread a process."""

    def __init__(self, assay, ids):
        self.assay, self.ids = assay, ids

    def run(self, *command):
        return subprocess.run([str(c) for c in (self.assay, *command)], capture_output=True, text=True)

    def json(self, *command):
        done = self.run(*command, "--json")
        if done.returncode not in (0, 1):
            raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr}")
        return json.loads(done.stdout)

    def dump(self, case, folder, faults):
        """What an engine with the faults writes; None when they touch nothing."""
        inject = ["--inject", ",".join(faults)] if faults else []
        path = folder / {"trace": "dump.safetensors", "tokens": "dump.json"}.get(case.form, "dump.npy")
        if case.form == "weights":
            done = self.run("decode", case.model, path, "--tensor", case.what, *inject)
        elif case.form == "tokens":
            done = self.run("tokenize", case.model, *case.prompt(folder), "--json", *inject,
                            *(["--context", case.context] if inject and case.context else []))
            if done.returncode == 0:
                path.write_text(done.stdout)
        else:
            done = self.run(case.form, case.model, "--tokens", self.ids, "-o", path, "--backend", case.backend,
                            "--kv", case.kv, "--threads", 1, *inject)
        return path if done.returncode == 0 else None

    def diagnose(self, case, folder, dump):
        given = {"weights": ["--weights", dump, "--tensor", case.what], "trace": ["--trace", dump],
                 "logits": ["--logits", dump, "--ids", self.ids], "tokens": ["--tokens", dump]}[case.form]
        if case.form == "tokens":
            given += case.prompt(folder)
        return self.json("diagnose", case.model, *given, "--threads", 1,
                         *(["--without", case.fault["id"]] if case.blind else []))


class Case:
    """One fault (None: none) in one dump of one model."""

    def __init__(self, model, form, fault, what=None, blind=False, backend="exact", kv="f32", context=0):
        self.model, self.form, self.fault, self.what, self.blind = model, form, fault, what, blind
        self.backend, self.kv, self.context = backend, kv, context

    def prompt(self, folder):
        if isinstance(self.what, str):
            (folder / "text").write_text(self.what, newline="")
            return ["--file" if self.context is not None else "--text-file", folder / "text"]
        (folder / "talk.json").write_text(json.dumps(self.what))
        return ["--messages", folder / "talk.json"]


def tensors(path):
    """Name and f32 numbers of each tensor of a dump, in the file's order."""
    content = path.read_bytes()
    if path.suffix == ".npy":
        return {"": array.array("f", content[10 + struct.unpack_from("<H", content, 8)[0]:])}
    size = struct.unpack_from("<Q", content)[0]
    head = json.loads(content[8:8 + size])
    head.pop("__metadata__", None)
    return {name: array.array("f", content[8 + size + t["data_offsets"][0]:8 + size + t["data_offsets"][1]])
            for name, t in head.items()}


def relative(ours, theirs):
    if len(ours) != len(theirs):
        return math.inf
    if ours == theirs:
        return 0
    error = sum((a - b) ** 2 for a, b in zip(ours, theirs))
    norm = sum(a * a for a in ours)
    return math.sqrt(error / norm) if norm > 0 and math.isfinite(error) else math.inf


def first_wrong(healthy, faulty, least):
    """The first tensor that differs, by more than `least`; for logits the first position."""
    ours, theirs = tensors(healthy), tensors(faulty)
    for name, numbers in ours.items():
        if relative(numbers, theirs[name]) > least:
            return name
    return None


def is_visible(form, healthy, faulty):
    if form == "tokens":
        return json.loads(healthy.read_text())["ids"] != json.loads(faulty.read_text())["ids"]
    if form == "weights":
        return any(relative(a, b) > 0 for a, b in zip(tensors(healthy).values(), tensors(faulty).values()))
    return first_wrong(healthy, faulty, INVISIBLE) is not None


def is_right_place(case, finding, healthy, faulty, n_ids):
    """Whether the finding says where the dump is wrong, by a comparison of the two dumps of our own."""
    place = finding["place"]
    if case.form == "weights":
        return case.what in place
    if case.form == "tokens":
        ours, theirs = (json.loads(path.read_text())["ids"] for path in (healthy, faulty))
        first = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
        return place.startswith(f"id {first} of ")
    if case.form == "trace":  # the first that differs at all, or by more than arithmetic may
        names = {first_wrong(healthy, faulty, least) for least in (INVISIBLE, 1e-3, 1e-2, 0.04, 0.08)}
        return any(name and "{} ({}".format(*name.partition(":")[::2]) in place for name in names)
    ours, theirs = (next(iter(tensors(path).values())) for path in (healthy, faulty))
    n = len(ours) // n_ids
    firsts = [next((i for i in range(n_ids) if relative(ours[i * n:i * n + n], theirs[i * n:i * n + n]) > least), None)
              for least in (INVISIBLE, 0.02, 0.1, 0.3)]
    return any(i is not None and place.endswith(f"position {i} on") for i in firsts)


def outcome(case, finding, visible):
    """One of KINDS, or "invisible"."""
    candidates = finding["candidates"]
    if any(c["id"] == case.fault["id"] for c in candidates):
        return "alone" if len(candidates) == 1 else "equivalent"
    if candidates:
        return "family" if candidates[0]["family"] == case.fault["family"] else "wrong"
    if finding["verdict"] == "unknown fault":
        return "unknown"
    return "missed" if visible else "invisible"


class Bench:
    def __init__(self, o):
        self.o, self.engine = o, Engine(o.assay, o.ids)
        self.faults = self.engine.json("faults")
        self.done = {}
        if o.results and o.results.exists():
            for line in o.results.read_text().splitlines():
                self.keep(json.loads(line))

    @staticmethod
    def key(result):
        return tuple(result[k] for k in ("model", "form", "fault", "blind"))

    def keep(self, result):
        self.done[self.key(result)] = result

    def jobs(self):
        """(model, form, blind, faults in the order in which they are tried, wanted), one for each family."""
        for model in self.o.models:
            for form in self.o.forms.split(","):
                families = defaultdict(list)
                for fault in self.faults:
                    if fault["injected_into"] in INJECTED_INTO[form]:
                        families[fault["family"]].append(fault)
                for blind, wanted in ((False, self.o.sample), (True, self.o.blind)):
                    if blind and not wanted:
                        continue
                    for family, faults in families.items():
                        chosen = list(faults)
                        random.Random(f"{self.o.seed} {label(model)} {form} {blind} {family}").shuffle(chosen)
                        yield model, form, blind, chosen, wanted or len(chosen)
                yield model, form, False, None, 0

    def family(self, job):
        """Runs faults until as many as wanted show in the dump."""
        model, form, blind, faults, wanted = job
        if faults is None:
            yield from self.healthy(model, form)
            return
        n_seen = 0
        for fault in faults:
            if n_seen == wanted:
                break
            key = {"model": label(model), "form": form, "fault": fault["id"], "blind": blind}
            result = self.done.get(self.key(key)) or {**key, "seed": self.o.seed, **self.one(model, form, fault, blind)}
            n_seen += result["outcome"] not in ("not touched", "invisible")
            yield result

    def cases(self, model, form, fault, blind):
        if form == "weights":
            for role in ROLES:
                yield Case(model, form, fault, role, blind)
        elif form == "tokens":
            for what in TEXTS if fault["injected_into"] == "tokenizer" else []:
                yield Case(model, form, fault, what, blind, context=self.context(fault))
            for what in TALKS:
                yield Case(model, form, fault, what, blind, context=self.context(fault))
            for what in TEXTS if fault["injected_into"] == "prompt" else []:
                yield Case(model, form, fault, what, blind)
        else:
            yield Case(model, form, fault, None, blind)

    @staticmethod
    def context(fault):
        return 12 if fault["id"].startswith("context-") else 0

    def one(self, model, form, fault, blind):
        began = time.monotonic()
        touched = False
        for case in self.cases(model, form, fault, blind):
            with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
                faulty = self.engine.dump(case, pathlib.Path(a), [fault["id"]])
                healthy = faulty and self.engine.dump(case, pathlib.Path(b), [])
                if not healthy:
                    continue
                touched = True
                visible = is_visible(form, healthy, faulty)
                if not visible and form in ("weights", "tokens"):
                    continue  # another tensor or prompt may show it
                asked = Case(model, form, fault, case.what, blind, context=None)
                finding = self.engine.diagnose(asked, pathlib.Path(a), faulty)
                result = {"outcome": outcome(asked, finding, visible), "verdict": finding["verdict"],
                          "answer": [c["id"] for c in finding["candidates"]], "place": finding["place"],
                          "seconds": round(time.monotonic() - began, 2)}
                if blind:
                    result["place is right"] = is_right_place(asked, finding, healthy, faulty,
                                                              self.o.ids.count(",") + 1)
                return result
        return {"outcome": "invisible" if touched else "not touched"}

    def healthy(self, model, form):
        """No fault: dumps of evaluators that round elsewhere."""
        if form == "weights":
            cases = {role: Case(model, form, None, role) for role in ROLES}
        elif form == "tokens":
            cases = {f"text {i + 1}": Case(model, form, None, text) for i, text in enumerate(TEXTS)}
            cases |= {f"talk {i + 1}": Case(model, form, None, talk) for i, talk in enumerate(TALKS)}
        else:
            cases = {f"{backend}, {kv} cache": Case(model, form, None, backend=backend, kv=kv)
                     for backend, kv in (("cpu", "f32"), ("cpu", "f16"), ("exact", "f16"), ("exact", "f32"))}
        for name, case in cases.items():
            key = {"model": label(model), "form": form, "fault": f"healthy: {name}", "blind": False}
            if self.key(key) in self.done:
                continue
            with tempfile.TemporaryDirectory() as folder:
                dump = self.engine.dump(case, pathlib.Path(folder), [])
                if not dump:
                    continue
                case.context = None
                verdict = self.engine.diagnose(case, pathlib.Path(folder), dump)["verdict"]
                quiet = verdict in ("no fault found", "not enough data")
                yield {**key, "seed": self.o.seed, "outcome": "healthy" if quiet else "false alarm", "verdict": verdict}

    def run(self):
        jobs = list(self.jobs())
        with concurrent.futures.ThreadPoolExecutor(self.o.jobs) as pool:
            results = self.o.results.open("a") if self.o.results else None
            for done in concurrent.futures.as_completed([pool.submit(self.collect, job, results) for job in jobs]):
                done.result()

    def collect(self, job, results):
        for result in self.family(job):
            if self.key(result) in self.done:
                continue
            self.keep(result)
            if results:
                results.write(json.dumps(result) + "\n")
                results.flush()
            if result["outcome"] != "not touched":
                print(result["model"], result["form"], result["fault"], "blind" if result["blind"] else "",
                      result["outcome"], *result.get("answer", []), file=sys.stderr, flush=True)


def label(model):
    return f"{model.parent.name}/{model.name}".removesuffix("/model.gguf").removesuffix(".gguf")


def percent(n, of):
    return f"{n / of:.1%}" if of else "-"


def sampled(results):
    """How many faults and models each form has."""
    return "; ".join(f"{form} {len({r['fault'] for r in of_form})} faults in "
                     f"{len({r['model'] for r in of_form})} models, {len(of_form)} cases"
                     for form in TARGETS if (of_form := [r for r in results if r["form"] == form]))


def page(o, results, family_of):
    injected = [r for r in results if not r["fault"].startswith("healthy:") and r["outcome"] != "not touched"]
    seen = [r for r in injected if not r["blind"]]
    forms = [f for f in TARGETS if any(r["form"] == f for r in seen)]
    n_ids = o.ids.count(",") + 1
    seeds = [str(s) for s in sorted({r["seed"] for r in seen})]
    lines = ["## Scores", "",
             f"Drawn by seed {' and '.join(seeds)}, so many of each family and model: {sampled(seen)}.",
             f"Weights: one tensor that the fault touches; tokens: one text or conversation that shows it; traces and "
             f"logits: {n_ids} ids.", "",
             "| form | visible | named | target | alone | on a shortlist | right family | target | unknown | missed "
             "| invisible |", "| --- |" + " ---: |" * 10]
    for form in forms:
        n = Counter(r["outcome"] for r in seen if r["form"] == form)
        visible = sum(n[k] for k in KINDS)
        named = n["alone"] + n["equivalent"]
        lines.append(f"| {form} | {visible} | {percent(named, visible)} | {TARGETS[form]:.0%} | {n['alone']} | "
                     f"{n['equivalent']} | {percent(named + n['family'], visible)} | 99% | {n['unknown']} | "
                     f"{n['missed']} | {n['invisible']} |")
    lines += ["", "## Each model", "", "| model | form | injected | invisible | " + " | ".join(KINDS) + " |",
              "| --- | --- |" + " ---: |" * (len(KINDS) + 2)]
    for form in forms:
        for model in sorted({r["model"] for r in seen if r["form"] == form}):
            n = Counter(r["outcome"] for r in seen if r["form"] == form and r["model"] == model)
            lines.append(f"| {model} | {form} | {sum(n.values())} | {n['invisible']} | " +
                         " | ".join(str(n[k]) for k in KINDS) + " |")
    for form in forms:
        n = Counter(r["outcome"] for r in seen if r["form"] == form)
        print(form, dict(n), file=sys.stderr)
    misses = [r for r in seen if r["outcome"] not in ("alone", "equivalent", "invisible")]
    if misses:
        lines += ["", "## Not named", "", "| injected | model | form | answer |", "| --- | --- | --- | --- |"]
        lines += [f"| {r['fault']} | {r['model']} | {r['form']} | {', '.join(r['answer']) or r['verdict']} |"
                  for r in misses]
    lists = Counter((r["form"], tuple(sorted(r["answer"]))) for r in seen if r["outcome"] == "equivalent")
    if lists:
        mixed = sum(n for (_, ids), n in lists.items() if len({family_of[i] for i in ids}) > 1)
        lines += ["", "## Shortlists", "", f"What a dump could not tell apart, and how often. {mixed} of these "
                  f"{sum(lists.values())} cases have faults of more than one family on their", "list; the right one "
                  "is among them. Long lists are of logits without a finite number.", "",
                  "| form | faults | cases |", "| --- | --- | ---: |"]
        lines += [f"| {form} | {', '.join(ids)} | {n} |" for (form, ids), n in sorted(lists.items())]
    blind = [r for r in injected if r["blind"] and r["outcome"] != "invisible"]
    if blind:
        lines += ["", "## Blind cases", "", "The injected fault left out of the list (`--without`). *place*: where the "
                  "dump differs from a healthy one, by a comparison", "of the bench's own. *another*: a fault that is "
                  "left explains the dump as well.", "",
                  "| form | cases | called unknown | another | called healthy | right place |",
                  "| --- |" + " ---: |" * 5]
        for form in forms:
            of_form = [r for r in blind if r["form"] == form]
            if not of_form:
                continue
            n = Counter(r["outcome"] for r in of_form)
            lines.append(f"| {form} | {len(of_form)} | {n['unknown']} | {n['family'] + n['wrong']} | {n['missed']} | "
                         f"{sum(r['place is right'] for r in of_form)} |")
        others = Counter((r["form"], r["fault"], ", ".join(r["answer"]) or r["verdict"])
                         for r in blind if r["outcome"] != "unknown" or not r["place is right"])
        lines += ["", "| form | left out | answer | cases |", "| --- | --- | --- | ---: |",
                  *(f"| {form} | {fault} | {answer} | {n} |" for (form, fault, answer), n in sorted(others.items()))]
    healthy = [r for r in results if r["fault"].startswith("healthy:")]
    alarms = [r for r in healthy if r["outcome"] == "false alarm"]
    lines += ["", "## False alarms", "",
              f"{len(alarms)} on {len(healthy)} healthy dumps: right weights and ids, `cpu` and `exact` with f32 and "
              "f16 caches.", ""]
    lines += [f"- {r['model']}, {r['form']}, {r['fault']}: {r['verdict']}" for r in alarms]
    return "\n".join(lines).rstrip() + "\n"


def write_page(path, text):
    before, rest = path.read_text().split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    path.write_text(f"{before}{MARKS[0]}\n\n{text}\n{MARKS[1]}{after}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assay", default="build/assay")
    parser.add_argument("--forms", default="weights,trace,tokens,logits")
    parser.add_argument("--ids", default=",".join(str((i * i * 7 + i * 5) % 89 + 3) for i in range(24)))
    parser.add_argument("--sample", type=int, default=0, help="faults of each family; 0: all")
    parser.add_argument("--blind", type=int, default=0, help="faults of each family that are left out of the list")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--results", type=pathlib.Path)
    parser.add_argument("--quantize", type=pathlib.Path, help="quantize this model, and run what comes of it")
    parser.add_argument("--page", type=pathlib.Path)
    parser.add_argument("models", nargs="*", type=pathlib.Path)
    o = parser.parse_args()
    print(f"seed {o.seed}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        if o.quantize:
            stem = o.quantize.stem.removesuffix("-f16")
            quantized = [pathlib.Path(folder) / stem / f"{t}.gguf" for t in QUANTIZED]
            quantized[0].parent.mkdir()
            for path in quantized:
                subprocess.run([o.assay, "quantize", o.quantize, path, path.stem], check=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            o.models = quantized + o.models
        bench = Bench(o)
        bench.run()
    text = page(o, sorted(bench.done.values(), key=lambda r: (r["form"], r["model"], r["fault"])),
                {f["id"]: f["family"] for f in bench.faults})
    if o.page:
        write_page(o.page, text)
    else:
        print(text)


if __name__ == "__main__":
    main()
