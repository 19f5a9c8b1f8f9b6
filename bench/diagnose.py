#!/usr/bin/env python3
"""How well `assay diagnose` names injected faults: docs/diagnosis.md.

Each fault of computation or weights is injected into each model; what the faulty run dumps, a trace or logits,
goes to `assay diagnose`, which does not know what was injected.

    bench/diagnose.py --assay build/assay --forms trace,logits --output docs/diagnosis.md MODEL.gguf...
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
from collections import defaultdict

FORMS = {"trace": ("trace", ".safetensors", "--trace"), "logits": ("logits", ".npy", "--logits")}
TARGETS = {"trace": 0.95, "logits": 0.80}


def run(*command):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True)


def diagnose(assay, model, form, dump, ids):
    option = FORMS[form][2]
    more = ["--ids", ids]
    done = run(assay, "diagnose", model, option, dump, *more, "--json")
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def make_dump(assay, model, form, ids, folder, inject=None, backend="exact", kv="f32"):
    command, suffix, _ = FORMS[form]
    dump = folder / ("dump" + suffix)
    more = ["--inject", inject] if inject else []
    done = run(assay, command, model, "--tokens", ids, "-o", dump, "--backend", backend, "--kv", kv, *more)
    return dump if done.returncode == 0 else None


def outcome(finding, fault):
    """first, equivalent, family, unknown, missed"""
    candidates = finding["candidates"]
    if candidates and candidates[0]["id"] == fault["id"] and len(candidates) == 1:
        return "first"
    if any(c["id"] == fault["id"] for c in candidates):
        return "equivalent"
    if candidates and candidates[0]["family"] == fault["family"]:
        return "family"
    return {"unknown fault": "unknown", "no fault found": "missed"}.get(finding["verdict"], "wrong")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assay", default="build/assay")
    parser.add_argument("--forms", default="trace,logits")
    parser.add_argument("--ids", default="0,17,4,90,33,33,58,7,21,64,80,12")
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    o = parser.parse_args()
    faults = [f for f in json.loads(run(o.assay, "faults", "--json").stdout)
              if f["injected_into"] in ("decoder", "layout", "computation")]
    score = defaultdict(lambda: defaultdict(int))
    misses, alarms, n_healthy = [], [], 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for model in o.models:
            for form in o.forms.split(","):
                for backend, kv in (("exact", "f32"), ("cpu", "f32"), ("cpu", "f16")):
                    dump = make_dump(o.assay, model, form, o.ids, folder, backend=backend, kv=kv)
                    finding = diagnose(o.assay, model, form, dump, o.ids)
                    n_healthy += 1
                    if finding["verdict"] != "no fault found":
                        alarms.append(f"{model.stem}, {form}, {backend} with {kv} cache: {finding['verdict']}")
                for fault in faults:
                    dump = make_dump(o.assay, model, form, o.ids, folder, inject=fault["id"])
                    if not dump:  # touches nothing of this model
                        continue
                    finding = diagnose(o.assay, model, form, dump, o.ids)
                    result = outcome(finding, fault)
                    score[model.stem, form][result] += 1
                    if result not in ("first", "equivalent"):
                        answer = finding["candidates"][0]["id"] if finding["candidates"] else finding["verdict"]
                        misses.append(f"| {fault['id']} | {model.stem} | {form} | {answer} |")
                print(model.stem, form, dict(score[model.stem, form]), file=sys.stderr, flush=True)

    lines = ["# Faults named by `assay diagnose`", "",
             "Written by `bench/diagnose.py`: each fault injected, its dump diagnosed. *first*: named alone. "
             "*equivalent*: on a", "shortlist that the dump cannot shorten. *family*: another fault of the right family.",
             "", "| model | form | injected | first | equivalent | family | unknown | called healthy | wrong |",
             "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    kinds = ["first", "equivalent", "family", "unknown", "missed", "wrong"]
    for (model, form), counts in score.items():
        cells = [str(sum(counts.values()))] + [str(counts[k]) for k in kinds]
        lines.append(f"| {model} | {form} | " + " | ".join(cells) + " |")
    lines.append("")
    for form in o.forms.split(","):
        counts = defaultdict(int)
        for (_, f), c in score.items():
            for kind, n in c.items():
                counts[kind] += n if f == form else 0
        total = sum(counts.values()) or 1
        named = counts["first"] + counts["equivalent"]
        lines.append(f"- {form}: {named / total:.1%} named (alone {counts['first'] / total:.1%}), target "
                     f"{TARGETS[form]:.0%}; right family {(named + counts['family']) / total:.1%}, target 99 %")
    lines += ["", f"False alarms on {n_healthy} healthy dumps (`exact`, `cpu`, f16 cache): {len(alarms)}", ""]
    lines += [f"- {a}" for a in alarms]
    if misses:
        lines += ["## Misses", "", "| injected | model | form | answer |", "| --- | --- | --- | --- |", *misses]
    page = "\n".join(lines).rstrip() + "\n"
    if o.output:
        o.output.write_text(page)
    else:
        print(page)


if __name__ == "__main__":
    main()
