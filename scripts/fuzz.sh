#!/usr/bin/env bash
# Builds the fuzz targets and runs each for SECONDS (default 60): scripts/fuzz.sh [SECONDS] [TARGET...]
# (--configure only prepares build-fuzz.) Starts from fuzz/seeds/TARGET and what earlier runs found (build-fuzz/corpus/TARGET). A crash, a hang of 5 seconds or
# 2 GB of memory fails; the input is kept in build-fuzz/crashes: copy it into fuzz/seeds/TARGET with the repair.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build-fuzz

cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ \
  -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -gline-tables-only -DNDEBUG" \
  -DASSAY_FUZZ=ON -DASSAY_TESTS=ON -DASSAY_SANITIZE=address,undefined >/dev/null

[ "${1:-}" = --configure ] && exit 0
seconds=${1:-60}
[ $# -gt 0 ] && shift

targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for source in fuzz/*_fuzz.cpp; do targets+=("$(basename "$source" _fuzz.cpp)"); done
fi
ninja -C "$build" --quiet "${targets[@]/%/_fuzz}"

for target in "${targets[@]}"; do
  mkdir -p "$build/corpus/$target" "$build/crashes" "fuzz/seeds/$target"
  echo "fuzzing $target for $seconds s"
  "$build/${target}_fuzz" "$build/corpus/$target" "fuzz/seeds/$target" -max_total_time="$seconds" -max_len=8192 \
    -rss_limit_mb=2048 -malloc_limit_mb=512 -timeout=5 -print_final_stats=1 \
    -artifact_prefix="$build/crashes/$target-" 2>"$build/$target.log" ||
    { tail -n 60 "$build/$target.log" >&2; exit 1; }
  grep -E "stat::(number_of_executed_units|peak_rss_mb)|^DONE|cov:.*DONE" "$build/$target.log" | tail -n 4
done
