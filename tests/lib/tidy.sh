#!/usr/bin/env bash
# The analysers: gcc -fanalyzer, clang-tidy, cppcheck. No finding without a written reason: waivers
# stand beside the code (NOLINT with why) or in tests/lib/cppcheck.list.
set -euo pipefail
cd "$(dirname "$0")/../.."
flags=(-std=c17 -D_GNU_SOURCE -I. -DAGENT_VERSION='"0"')
read -ra packages < <(pkg-config --cflags jansson libsodium libpcre2-8 libcurl libpq)
mapfile -t files < <(git ls-files '*.c' | grep -v '^tests/')
failed=0

echo 'tidy: gcc -fanalyzer'
for file in "${files[@]}"; do
    gcc "${flags[@]}" "${packages[@]}" -O1 -fanalyzer -Werror -c -o /dev/null "$file" || failed=1
done
echo 'tidy: clang-tidy'
clang-tidy --quiet --warnings-as-errors='*' \
    --checks='-*,bugprone-*,cert-*,clang-analyzer-*,-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier,-cert-dcl37-c,-cert-dcl51-cpp,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling,-bugprone-assignment-in-if-condition,-bugprone-narrowing-conversions' \
    "${files[@]}" -- "${flags[@]}" "${packages[@]}" || failed=1
echo 'tidy: cppcheck'
# varFuncNullUB: a NULL that is an int; POSIX has it as a pointer, and SENTINEL is checked by gcc.
cppcheck --quiet --suppress=varFuncNullUB --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 \
    -D_GNU_SOURCE -DAGENT_VERSION='"0"' -I. "${files[@]}" || failed=1
exit "$failed"
