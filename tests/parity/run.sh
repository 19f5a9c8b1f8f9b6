#!/usr/bin/env bash
# Installs the pinned llama.cpp from npm where it is missing, then runs the parity tests: run.sh ASSAY [--all].
# Without node, npm or a way to reach npm: exit status 77 (skipped), or 1 in CI (CI=true).
set -euo pipefail
cd "$(dirname "$0")"
. ./install.sh
status=0
node parity_test.mjs "$@" || status=1
if [ "$(uname -m)" = x86_64 ]; then
  python3 -B quantize_test.py "$1" || status=1
else
  echo "SKIPPED: quantize_test.py knows only the x86-64 library"
fi
exit $status
