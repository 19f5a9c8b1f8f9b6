#!/usr/bin/env bash
# assay diagnose --endpoint beside a live llama.cpp of tests/parity: run.sh ASSAY. Exit status as tests/parity/install.sh.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../parity"
. ./install.sh
exec python3 -B "$here/endpoint_test.py" "$1"
