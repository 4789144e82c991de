#!/usr/bin/env bash
# Run the unit tests with coverage and print lines and branches by folder (gcov's own counts).
set -euo pipefail
cd "$(dirname "$0")/../.."
make --no-print-directory VARIANT=cover build/cover/agent unit-tests fuzz-replays
find build/cover -name '*.gcda' -delete
build/venv/bin/python tests/run.py --variant cover
mkdir -p build/cover/report
(cd build/cover/report && find .. -name '*.gcda' -not -path '*/tests/*' -exec gcov -b -o . {} + >summary.txt 2>/dev/null)
awk '
    /^File/ {split($0, part, "\x27"); file = part[2]; split(file, path, "/"); folder = path[1]}
    /^Lines executed/ && folder ~ /^(base|vault|envcontract|migrations|bootstrap|rotate|agent)$/ {
        split($0, x, /[:%]| of /); lines[folder] += x[4]; hit[folder] += x[2] * x[4] / 100}
    END {for (f in lines) printf "%-12s %6.1f %% of %d lines\n", f, 100 * hit[f] / lines[f], lines[f]}
' build/cover/report/summary.txt | sort
