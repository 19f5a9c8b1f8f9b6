"""Compares the template interpreter with its peers: Python's Jinja2 (must be there) and npm's @huggingface/jinja.

Exit status 0: all agree. Without npm its part is left out, loudly; with CI=true in the environment that is a failure."""
import argparse
import base64
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import conversations
import generate

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parent / "golden" / "jinja"
SEED, N_EXPRESSIONS, N_STATEMENTS = 20240726, 3000, 3000
MOST_SHOWN = 10

# The package of llama.cpp for npm carries its sources, and among them the chat templates of many models.
TEMPLATE_PACKAGE = "node-llama-cpp@3.22.1"
TEMPLATE_INTEGRITY = "sha512-bltIipuWmc123H7tMIgDGKSsSrhmhlQYeVUC48XTjVW7XGJJiJJyCdlTMzQ/LiWoPkGDpcL4FviDpgw7qfTiDw=="

# Where our answer may differ from Python's, and why. Each is (reason, does it apply?).
KNOWN = [
    ("integers have 64 bits here", lambda py, us: "64 bits" in us.get("error", "")),
    ("refused by the sandbox", lambda py, us: us.get("kind") == "unsupported"),
    ("Python prints an address", lambda py, us: " at 0x" in py.get("output", "").lower()),
    ("only + heeds Markup here", lambda py, us: "Markup(" in py.get("output", "")),
    ("Jinja2 folds a slice of a constant that has none to undefined", lambda py, us: "slice" in us.get("error", "") and "output" in py),
]


def ask(command, requests, **options):
    """Answers of a peer, one for each request, in order."""
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(command, input=lines.encode(), stdout=subprocess.PIPE, check=True, **options)
    answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
    if len(answers) != len(requests):
        raise RuntimeError(f"{command[0]}: {len(answers)} answers to {len(requests)} requests")
    return answers


def agree(expected, ours):
    if "error" in expected:
        return "error" in ours
    return expected.get("output") == ours.get("output")


class Report:
    def __init__(self):
        self.failed = False

    def compare(self, title, names, expected, ours, excuses):
        n_errors, excused, wrong = 0, {}, []
        for name, theirs, mine in zip(names, expected, ours):
            n_errors += "error" in theirs
            if agree(theirs, mine):
                continue
            reason = next((why for why, applies in excuses if applies(theirs, mine)), None)
            if reason:
                excused[reason] = excused.get(reason, 0) + 1
            else:
                wrong.append((name, theirs, mine))
        print(f"{title}: {len(names)} compared, {n_errors} of them errors there, {sum(excused.values())} excused, {len(wrong)} differ")
        for reason, count in sorted(excused.items()):
            print(f"    excused {count}: {reason}")
        for name, theirs, mine in wrong[:MOST_SHOWN]:
            print(f"  DIFFERS {name}\n    peer {json.dumps(theirs, ensure_ascii=False)}\n    ours {json.dumps(mine, ensure_ascii=False)}")
        if wrong or sum(excused.values()) > len(names) // 20:
            self.failed = True

    def missing(self, what):
        fatal = os.environ.get("CI", "").lower() in ("1", "true")
        print(f"{'FAILED' if fatal else 'NOT RUN'}: {what}" + ("" if fatal else " (a failure under CI=true)"))
        self.failed |= fatal


def rendering_requests(templates):
    """Every template in every conversation: names and requests."""
    cases = [(f"{name} / {kind}", {"template": text, "context": context})
             for name, text in templates for kind, context in conversations.CONTEXTS.items()]
    return [name for name, _ in cases], [request for _, request in cases]


def own_templates():
    return [(path.name, path.read_text()) for path in sorted((GOLDEN / "templates").glob("*.jinja"))]


def fetch_hf_peer(cache):
    """Folder with @huggingface/jinja installed as package-lock.json pins it, or None."""
    folder = cache / "npm"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "hf_peer.mjs"):
        shutil.copy(HERE / name, folder)
    installed = folder / "node_modules" / ".package-lock.json"
    if not installed.exists():
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, timeout=300)
        if done.returncode != 0:
            return None
    return folder


def fetch_templates(cache):
    """The chat templates inside TEMPLATE_PACKAGE as (name, text), or None. They are read, never stored in the repository."""
    folder = cache / "templates"
    clone = folder / "llama.cpp"
    if not (clone / "models" / "templates").is_dir():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        done = subprocess.run(["npm", "pack", "--silent", TEMPLATE_PACKAGE], cwd=folder, capture_output=True, timeout=300)
        archives = list(folder.glob("*.tgz"))
        if done.returncode != 0 or len(archives) != 1:
            return None
        digest = base64.b64encode(hashlib.sha512(archives[0].read_bytes()).digest()).decode()
        if f"sha512-{digest}" != TEMPLATE_INTEGRITY:
            raise RuntimeError(f"{TEMPLATE_PACKAGE} is not the package that was pinned: sha512-{digest}")
        bundle = "package/llama/gitRelease.bundle"
        subprocess.run(["tar", "-xzf", archives[0].name, bundle], cwd=folder, check=True)
        subprocess.run(["git", "clone", "--quiet", bundle, clone.name], cwd=folder, check=True, capture_output=True)
        archives[0].unlink()
    return [(path.name, path.read_text()) for path in sorted((clone / "models" / "templates").glob("*.jinja"))]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--driver", required=True, help="program built from driver.cpp")
    arguments.add_argument("--cache", required=True, type=pathlib.Path, help="folder for what npm fetches")
    arguments.add_argument("--seed", type=int, default=SEED)
    options = arguments.parse_args()
    report = Report()

    def driver(requests):
        return ask([options.driver], requests)

    def python(requests):
        return ask([sys.executable, "-W", "ignore", str(HERE / "python_peer.py")], requests)

    generated = list(generate.corpus(options.seed, N_EXPRESSIONS, N_STATEMENTS))
    report.compare("generated snippets, Jinja2", [r["template"] for r in generated], python(generated), driver(generated), KNOWN)

    templates = own_templates()
    names, requests = rendering_requests(templates)
    expected = python(requests)
    report.compare("own templates, Jinja2", names, expected, driver(requests), [])

    try:
        hf = fetch_hf_peer(options.cache)
        fetched = fetch_templates(options.cache)
    except (OSError, subprocess.SubprocessError) as error:
        print(error)
        hf = fetched = None
    if fetched is None:
        report.missing(f"npm could not fetch {TEMPLATE_PACKAGE}: its chat templates were not tried")
    else:
        more_names, more_requests = rendering_requests(fetched)
        more_expected = python(more_requests)
        report.compare("fetched templates, Jinja2", more_names, more_expected, driver(more_requests), [])
        names, requests, expected = names + more_names, requests + more_requests, expected + more_expected
    if hf is None:
        report.missing("npm could not install @huggingface/jinja: it was not compared")
    else:
        # Where it disagrees with Jinja2 itself, Jinja2 is right and there is nothing to compare.
        theirs = ask(["node", "hf_peer.mjs"], requests, cwd=hf)
        both = [i for i in range(len(names)) if agree(expected[i], theirs[i]) and "output" in expected[i]]
        print(f"@huggingface/jinja agrees with Jinja2 on {len(both)} of {len(names)} renderings")
        report.compare("templates, @huggingface/jinja", [names[i] for i in both], [theirs[i] for i in both],
                       driver([requests[i] for i in both]), [])
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
