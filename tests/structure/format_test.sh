#!/usr/bin/env bash
# clang-format changes nothing.
set -euo pipefail
cd "$1"
mapfile -t files < <(find src tests bench fuzz examples -name '*.cpp' -o -name '*.h' 2>/dev/null)
clang-format --dry-run -Werror "${files[@]}"
echo "${#files[@]} files are formatted"
