#!/usr/bin/env bash
# Run fuzz targets, each for FUZZ_SECONDS: run.sh TARGET... What they find that is new goes to
# build/fuzz/found/<target>; an input that breaks a promise stays in build/fuzz/crash/<target>, and
# belongs into tests/fuzz/corpus/<target> once it is mended.
set -euo pipefail
cd "$(dirname "$0")/../.."

failed=()
for target in "$@"; do
    found=build/fuzz/found/$target crash=build/fuzz/crash/$target
    mkdir -p "$found" "$crash"
    echo "fuzz: $target for ${FUZZ_SECONDS:-20} s"
    build/fuzz/fuzzer/"$target" -max_total_time="${FUZZ_SECONDS:-20}" -max_len=8192 -timeout=10 \
        -rss_limit_mb=1024 -artifact_prefix="$crash/" -print_final_stats=1 -verbosity=0 \
        "$found" "tests/fuzz/corpus/$target" >"build/fuzz/$target.log" 2>&1 || failed+=("$target")
    grep -E 'number_of_executed_units|ERROR|broken promise' "build/fuzz/$target.log" || true
done
for target in "${failed[@]}"; do
    echo "fuzz: $target failed:" >&2
    tail -n 40 "build/fuzz/$target.log" >&2
done
[ "${#failed[@]}" -eq 0 ]
