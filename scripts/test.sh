#!/usr/bin/env bash
# Every check that there is, through ctest: unit tests, whole-program tests, live peers, sanitizers, fuzzers.
# test.sh BUILD [ctest arguments...]
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
shift
# The long ones start first and build beside the short ones; output of what was skipped or failed is printed.
exec ctest --test-dir "$build" -j "$(getconf _NPROCESSORS_ONLN)" --output-on-failure --no-tests=error "$@"
