#!/usr/bin/env bash
# Installs the pinned llama.cpp from npm where it is missing, then runs the parity test: run.sh ASSAY [--all].
# Without node, npm or a way to reach npm: exit status 77 (skipped), or 1 in CI (CI=true).
set -euo pipefail
cd "$(dirname "$0")"
unavailable() {
  if [ "${CI:-}" = true ]; then
    echo "FAILED: $1, and CI must run the parity test" >&2
    exit 1
  fi
  echo "SKIPPED: $1"
  exit 77
}
command -v node >/dev/null || unavailable "node is not installed (packages.txt: nodejs)"
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  command -v npm >/dev/null || unavailable "npm is not installed (packages.txt: npm)"
  # No lifecycle scripts: the packages are the native libraries themselves.
  log=$(npm ci --ignore-scripts --no-audit --no-fund 2>&1) || {
    echo "$log" >&2
    unavailable "npm cannot install the packages of tests/parity/package.json"
  }
  touch node_modules/.package-lock.json
fi
node -e 'import("./llama_cpp.mjs").then((m) => m.describe()).then(() => process.exit(0), (e) => { console.error(e.message); process.exit(1); })' ||
  unavailable "the prebuilt llama.cpp does not load on this machine"
exec node parity_test.mjs "$@"
