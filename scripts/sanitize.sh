#!/usr/bin/env bash
# Builds the unit tests with sanitizers and runs them: sanitize.sh memory|threads
#   memory   clang, AddressSanitizer and UndefinedBehaviorSanitizer, everything (the build is shared with scripts/fuzz.sh)
#   threads  g++, ThreadSanitizer, what runs on the thread pool
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1:-} in
  memory)
    build=build-fuzz
    scripts/fuzz.sh --configure
    programs=(base_test quant_test gguf_test tokenizer_test jinja_test sampling_test cpu_test quantize_test judge_test runtime_test
              diagnose_test models_test)
    # Left out: loops over every fault, which take minutes here and run the same code again and again.
    filter='-*Exhaustive*:OpsFaults.ChangeLogits*:Bisect.*:Conform.EveryField*:Verify.*:Bounds.*:WeightsFinding.Names*'
    filter+=':*EveryFaultOfComputation*:Speculation.ChangesNoToken:DiagnoseTokens.NamesEvery*:DiagnoseTokens.HealthyIds*:DiagnoseEndpoint.NamesFaultsOf*'
    ;;
  threads)
    build=build-tsan
    cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Release -DASSAY_SANITIZE=thread >/dev/null
    programs=(base_test cpu_test)
    filter='ThreadPool*:Ops.*:*Q4_K*:*Q8_0*'
    ;;
  *)
    echo "usage: sanitize.sh memory|threads" >&2
    exit 2
    ;;
esac
ninja -C $build --quiet "${programs[@]}"
export UBSAN_OPTIONS=print_stacktrace=1 ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 TSAN_OPTIONS=halt_on_error=1
for program in "${programs[@]}"; do
  echo "== $program"
  "$build/$program" --gtest_brief=1 --gtest_filter="$filter"
done
