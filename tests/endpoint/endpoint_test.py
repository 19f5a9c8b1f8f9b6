#!/usr/bin/env python3
"""assay diagnose --endpoint beside a live llama.cpp: endpoint_test.py ASSAY. Healthy: no fault; with a fault: its name."""
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
MODEL = HERE.parent.parent / "models" / "tales-6m-f16.gguf"
EXPECTED = {  # of server.mjs -> the fault named
    "none": None,
    "chat": "prompt-wrapped-in-chatml",
    "template": "prompt-wrapped-as-dialogue",
    "eos": "eos-appended",
    "space": "newline-as-space",
    "bos": "bos-missing",
}


def diagnose(assay, fault):
    server = subprocess.Popen(["node", HERE / "server.mjs", MODEL, fault], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True)
    try:
        port = int(server.stdout.readline())
        done = subprocess.run([assay, "diagnose", MODEL, "--endpoint", f"http://127.0.0.1:{port}", "--json"],
                              stdout=subprocess.PIPE, text=True, timeout=200)
        return done.returncode, json.loads(done.stdout)
    finally:
        server.stdin.close()
        server.wait()


failed = 0
for fault, name in EXPECTED.items():
    status, finding = diagnose(sys.argv[1], fault)
    found = [c["id"] for c in finding["candidates"]]
    right = (status, found) == ((0, []) if name is None else (1, [name]))
    right = right and finding["verdict"] == ("no fault found" if name is None else "fault")
    print(f"{'ok' if right else 'FAILED'}: {fault}: {finding['verdict']} {' '.join(found)}")
    if not right:
        print("\n".join(finding["figures"]))
        failed += 1
sys.exit(failed > 0)
