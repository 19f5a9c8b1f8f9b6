# Sourced with this folder as the current one: installs the pinned llama.cpp from npm where it is missing. Without node, npm or a
# way to reach npm it exits: status 77 (skipped), or 1 in CI (CI=true).
unavailable() {
  if [ "${CI:-}" = true ]; then
    echo "FAILED: $1, and CI must run the parity test" >&2
    exit 1
  fi
  echo "SKIPPED: $1"
  exit 77
}
command -v node >/dev/null || unavailable "node is not installed (packages.txt: nodejs)"
peer_loads() {
  node -e 'import("./llama_cpp.mjs").then((m) => m.describe()).then(() => process.exit(0), (e) => { console.error(e.message); process.exit(1); })'
}
stamp=node_modules/.package-lock.json
if [ ! -f $stamp ] || [ package-lock.json -nt $stamp ] || ! peer_loads 2>/dev/null; then
  command -v npm >/dev/null || unavailable "npm is not installed (packages.txt: npm)"
  # No lifecycle scripts: the packages are the native libraries themselves. An optional package that npm cannot fetch is no
  # error to it, so only peer_loads tells.
  log=$(npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 2>&1) || echo "$log" >&2
  peer_loads || unavailable "npm cannot fetch llama.cpp for this machine (tests/parity/package.json): $log"
  touch $stamp
fi
