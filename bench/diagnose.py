#!/usr/bin/env python3
"""How well `assay diagnose` names injected faults: docs/diagnosis.md.

Each fault of computation or weights is injected into each model; what the faulty run dumps, a trace or logits,
goes to `assay diagnose`, which does not know what was injected.

    bench/diagnose.py --assay build/assay --forms trace,logits --output docs/diagnosis.md MODEL.gguf...

The page is written anew after each model. --sample N takes N faults a family, the same ones for a --seed.
"""
import argparse
import array
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
from collections import defaultdict

FORMS = {"trace": ("trace", ".safetensors", "--trace"), "logits": ("logits", ".npy", "--logits")}
TARGETS = {"trace": 0.95, "logits": 0.80}
KINDS = ["first", "equivalent", "family", "unknown", "missed", "wrong"]
INVISIBLE = 3e-5  # relative: what f32 leaves between equal runs, as `diagnose` takes it


def run(*command):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True)


def with_threads(o):
    return ["--threads", o.threads] if o.threads else []


def diagnose(o, model, form, dump):
    option = FORMS[form][2]
    done = run(o.assay, "diagnose", model, option, dump, "--ids", o.ids, "--json", *with_threads(o))
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def make_dump(o, model, form, folder, inject=None, backend="exact", kv="f32"):
    command, suffix, _ = FORMS[form]
    dump = folder / ("dump" + suffix)
    more = ["--inject", inject] if inject else []
    done = run(o.assay, command, model, "--tokens", o.ids, "-o", dump, "--backend", backend, "--kv", kv, *more,
               *with_threads(o))
    return dump if done.returncode == 0 else None


def numbers(dump):
    """The numbers of a dump, whichever of the two formats it has."""
    content = dump.read_bytes()
    if dump.suffix == ".npy":
        return array.array("f", content[10 + struct.unpack_from("<H", content, 8)[0]:])
    return array.array("f", content[8 + struct.unpack_from("<Q", content)[0]:])


def is_visible(dump, healthy):
    ours, theirs = numbers(healthy), numbers(dump)
    error = sum((a - b) ** 2 for a, b in zip(ours, theirs))
    return len(ours) != len(theirs) or not error <= INVISIBLE ** 2 * sum(a * a for a in ours)


def outcome(finding, fault, dump, healthy):
    """One of KINDS, or "invisible"."""
    candidates = finding["candidates"]
    if any(c["id"] == fault["id"] for c in candidates):
        return "first" if len(candidates) == 1 else "equivalent"
    if candidates:
        return "family" if candidates[0]["family"] == fault["family"] else "wrong"
    if finding["verdict"] == "unknown fault":
        return "unknown"
    return "missed" if is_visible(dump, healthy) else "invisible"


def sampled(faults, n, seed):
    if not n:
        return faults
    families = defaultdict(list)
    for fault in faults:
        families[fault["family"]].append(fault)
    choose = random.Random(seed)
    chosen = [f["id"] for family in families.values() for f in choose.sample(family, min(n, len(family)))]
    return [f for f in faults if f["id"] in chosen]


def page(o, score, misses, alarms, n_healthy):
    lines = ["# Faults named by `assay diagnose`", "",
             "Written by `bench/diagnose.py`: each fault injected, its dump diagnosed. *first*: named alone. "
             "*equivalent*: on a", "shortlist that the dump cannot shorten. *family*: another fault of the right "
             "family. *missed*: called healthy, though", "the dump shows it; *invisible*: called healthy, and the "
             "dump is a healthy one's but for f32 rounding.", "",
             f"Prompt: {len(o.ids.split(','))} ids. " +
             (f"Faults: {o.sample} of each family, by seed {o.seed}, those that touch the model."
              if o.sample else "Faults: all that touch the model."), "",
             "| model | form | injected | invisible | " + " | ".join(KINDS) + " |",
             "| --- | --- |" + " ---: |" * (len(KINDS) + 2)]
    for (model, form), counts in score.items():
        cells = [sum(counts.values()), counts["invisible"], *(counts[k] for k in KINDS)]
        lines.append(f"| {model} | {form} | " + " | ".join(map(str, cells)) + " |")
    lines.append("")
    for form in o.forms.split(","):
        counts = defaultdict(int)
        for (_, f), c in score.items():
            for kind, n in c.items():
                counts[kind] += n if f == form else 0
        total = sum(counts[k] for k in KINDS)
        if total == 0:
            continue
        named = counts["first"] + counts["equivalent"]
        lines.append(f"- {form}: of {total} visible, {named / total:.1%} named (alone "
                     f"{counts['first'] / total:.1%}), target {TARGETS[form]:.0%}; right family "
                     f"{(named + counts['family']) / total:.1%}, target 99 %")
    lines += ["", f"False alarms on {n_healthy} healthy dumps (`exact`, `cpu`, f16 cache): {len(alarms)}", ""]
    lines += [f"- {a}" for a in alarms]
    if misses:
        lines += ["## Misses", "", "| injected | model | form | answer |", "| --- | --- | --- | --- |", *misses]
    return "\n".join(lines).rstrip() + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assay", default="build/assay")
    parser.add_argument("--forms", default="trace,logits")
    parser.add_argument("--ids", default=",".join(str((i * i * 7 + i * 5) % 89 + 3) for i in range(40)))
    parser.add_argument("--sample", type=int, default=0, help="faults of each family; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="0: all")
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    o = parser.parse_args()
    faults = sampled([f for f in json.loads(run(o.assay, "faults", "--json").stdout)
                      if f["injected_into"] in ("decoder", "layout", "computation")], o.sample, o.seed)
    score = defaultdict(lambda: defaultdict(int))
    misses, alarms, n_healthy = [], [], 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for form in o.forms.split(","):
            for model in o.models:
                label = f"{model.parent.name}/{model.stem}"
                for backend, kv in (("cpu", "f32"), ("cpu", "f16"), ("exact", "f32")):
                    dump = make_dump(o, model, form, folder, backend=backend, kv=kv)
                    finding = diagnose(o, model, form, dump)
                    n_healthy += 1
                    if finding["verdict"] != "no fault found":
                        alarms.append(f"{label}, {form}, {backend} with {kv} cache: {finding['verdict']}")
                healthy = dump.rename(folder / ("healthy" + dump.suffix))
                for fault in faults:
                    dump = make_dump(o, model, form, folder, inject=fault["id"])
                    if not dump:  # touches nothing of this model
                        continue
                    finding = diagnose(o, model, form, dump)
                    result = outcome(finding, fault, dump, healthy)
                    score[label, form][result] += 1
                    if result not in ("first", "equivalent", "invisible"):
                        answer = finding["candidates"][0]["id"] if finding["candidates"] else finding["verdict"]
                        misses.append(f"| {fault['id']} | {label} | {form} | {answer} |")
                print(label, form, dict(score[label, form]), file=sys.stderr, flush=True)
                text = page(o, score, misses, alarms, n_healthy)
                if o.output:
                    o.output.write_text(text)
    if not o.output:
        print(text)


if __name__ == "__main__":
    main()
