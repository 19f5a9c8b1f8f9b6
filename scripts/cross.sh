#!/usr/bin/env bash
# Builds the CPU evaluator for another processor and runs its tests under qemu-user: cross.sh aarch64
# What runs is `cpu == twin` for every kernel set of that processor, every type, and every operation.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 1 ] && [ -f "cmake/$1.cmake" ] || {
  echo "usage: cross.sh aarch64" >&2
  exit 2
}
processor=$1
build=build-$processor
# -O1 but for the kernels, which keep their own flags: what is tested is the code that would be shipped.
cmake --no-warn-unused-cli -S . -B "$build" -G Ninja -DCMAKE_TOOLCHAIN_FILE="cmake/$processor.cmake" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -DNDEBUG" >/dev/null
ninja -C "$build" --quiet cpu_test
log=$build/cpu_test.log
"qemu-$processor" -L "/usr/$processor-linux-gnu" -cpu max "$build/cpu_test" --gtest_print_time=0 >"$log" || {
  cat "$log" >&2
  exit 1
}
grep -E '^\[ +(KERNELS|SKIPPED|OK|PASSED) ' "$log"
if grep -q 'SKIPPED.*lacks the instructions' "$log"; then
  echo "qemu-$processor lacks instructions that a kernel set needs" >&2
  exit 1
fi
