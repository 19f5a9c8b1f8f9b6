#!/usr/bin/env bash
# A kernel file's only symbol is its kernel set. A weak one (an inline function of a shared header, compiled for AVX-512) could
# be the copy that the linker keeps for every caller, and crash an older processor.
set -euo pipefail
library=$1
objects=0 faults=0
for object in $(ar t "$library" | grep -E '^(generic|avx2|avx512|neon).*\.o$'); do
  objects=$((objects + 1))
  dir=$(mktemp -d)
  (cd "$dir" && ar x "$library" "$object")
  if nm -C "$dir/$object" | grep -E ' [WVu] '; then
    echo "$object: the symbols above are weak"
    faults=$((faults + 1))
  fi
  rm -r "$dir"
done
echo "$objects kernel objects, $faults with weak symbols"
[ "$objects" -ge 3 ] && [ "$faults" -eq 0 ]
