#!/usr/bin/env bash
# Installs the Debian packages of packages.txt that are missing. Says what to do where it cannot.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v dpkg-query >/dev/null || {
  echo "assay: this is no Debian: install the equivalents of packages.txt by hand, then run cmake yourself" >&2
  exit 0
}
missing=()
while read -r name; do
  # There when Debian says so, or when its command came from elsewhere.
  command -v "$name" >/dev/null && continue
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
done < <(grep -vE '^\s*(#|$)' packages.txt)
[ ${#missing[@]} -eq 0 ] && exit 0
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "assay: missing packages: ${missing[*]}" >&2
    echo "assay: neither root nor sudo here: ask an administrator to apt-get install them" >&2
    exit 3
  }
  as_root=(sudo)
fi
echo "Installing: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
