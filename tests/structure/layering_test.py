#!/usr/bin/env python3
"""Includes go one way: a file of src/FOLDER may include only FOLDER and what CMakeLists.txt lets FOLDER use."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
lists = (root / "CMakeLists.txt").read_text()
uses, test_uses = {}, {}
for name, rest in re.findall(r"^assay_folder\((\w+)([^)]*)\)", lists, re.M):
    words = rest.split()
    section, direct = None, {"USES": [], "TEST_USES": []}
    for word in words:
        if word.isupper() and "::" not in word:
            section = word
        elif section in direct:
            direct[section].append(word)
    uses[name] = {name}.union(*(uses[u] for u in direct["USES"]), set())
    test_uses[name] = uses[name].union(*(uses[u] for u in direct["TEST_USES"]), set())

faults, n_includes = [], 0
for file in sorted((root / "src").rglob("*")):
    if file.suffix not in {".h", ".cpp", ".inc"}:
        continue
    folder = file.relative_to(root / "src").parts[0]
    allowed = test_uses if file.stem.endswith("_test") else uses
    for number, line in enumerate(file.read_text().splitlines(), 1):
        match = re.match(r'\s*#include "(\w+)/', line)
        if match:
            n_includes += 1
            if match[1] not in allowed.get(folder, ()):
                faults.append(f"{file.relative_to(root)}:{number}: {folder} may not include {match[1]}")
print("\n".join(faults))
print(f"{n_includes} includes of {len(uses)} folders, {len(faults)} against the arrows")
sys.exit(1 if faults or n_includes == 0 else 0)
