#!/usr/bin/env bash
# The unit tests under valgrind: no error, no leak. Say PATTERN... for some of them.
#
# Left out are tests of what valgrind itself changes: it makes a vfork a fork, so that the slab of the
# secrets is wiped in the child (base_proc*, base_secret), it dies of a failed execve (base_proc_start),
# /proc shows its own name and files (base_file, base_proc_harden), and what counts or fails every
# allocation is counted in its stead (*_memory, *_starved).
set -euo pipefail
cd "$(dirname "$0")/../.."
export AGENT_UNDER_VALGRIND=1 # some tests measure memory: they skip themselves
left_out='^(base_proc|base_proc_.*|base_secret|base_file|.*_memory|.*_starved)$'
passed=0 failed=()

for test in build/debug/unit/*; do
    name=${test##*/}
    [[ -x $test && $name != *.* ]] || continue
    [[ $name =~ $left_out ]] && continue
    if [ "$#" -gt 0 ]; then
        wanted=''
        for pattern in "$@"; do [[ $name == *$pattern* ]] && wanted=1; done
        [ -n "$wanted" ] || continue
    fi
    if log=$(valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite \
        --show-leak-kinds=definite "$test" 2>&1); then
        echo "ok   $name"
        passed=$((passed + 1))
    else
        printf 'FAIL %s\n%s\n' "$name" "$(grep -E '^==|FAILED|ERROR' <<<"$log" | head -60)"
        failed+=("$name")
    fi
done
echo "$passed passed, ${#failed[@]} failed${failed[*]:+: ${failed[*]}}"
[ "${#failed[@]}" -eq 0 ]
