#!/usr/bin/env bash
# The rules of the house that a machine can check. Prints each breach with file and line; exits 1
# when there is one. The linker is the second witness of the layering (see the Makefile).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

breaches=0
breach() { printf '%s\n' "$1" >&2; breaches=$((breaches + 1)); }

# ---- who may include whom ----------------------------------------------------------------------
declare -A below=(
    [base]='base'
    [vault]='vault base'
    [envcontract]='envcontract base'
    [migrations]='migrations base'
    [bootstrap]='bootstrap migrations base'
    [rotate]='rotate bootstrap migrations vault base'
    [agent]='agent rotate bootstrap migrations envcontract vault base'
)
declare -A front=(
    [vault]='vault.h source.h sealed.h stale.h renew.h schedule.h document.h write.h engine.h'
    [envcontract]='contract.h drift.h'
    [migrations]='graph.h sql.h audit.h'
    [bootstrap]='db.h bootstrap.h guard.h'
    [rotate]='rotate.h'
)
has_word() { case " $1 " in *" $2 "*) return 0 ;; esac; return 1; }

includes=$(git ls-files '*.c' '*.h' | grep -v '^tests/' | xargs grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]+"' /dev/null)
while IFS=: read -r file line text; do
    [ -n "$file" ] || continue
    folder=${file%%/*}
    path=${text#*\"}; path=${path%%\"*}
    case $path in
    */*) ;;
    *) breach "$file:$line: \"$path\" is not folder-qualified"; continue ;;
    esac
    target=${path%%/*}; header=${path#*/}
    if ! has_word "${below[$folder]:-}" "$target"; then
        breach "$file:$line: $folder may not include $target"
    elif [ "$folder" != "$target" ] && [ "$target" = base ] && [ "$header" = internal.h ]; then
        breach "$file:$line: internal.h never leaves its folder"
    elif [ "$folder" != "$target" ] && [ "$target" != base ] && ! has_word "${front[$target]}" "$header"; then
        breach "$file:$line: $path is not a front header"
    fi
done <<<"$includes"

# ---- one foreign library, one place -------------------------------------------------------------
# header pattern | files that may include it
foreign='curl/curl\.h|^vault/http[a-z_]*\.[ch]$
libpq-fe\.h|^bootstrap/db[a-z_]*\.[ch]$
pg_query\.h|^migrations/sql[a-z_]*\.[ch]$
jansson\.h|^vault/
pcre2\.h|^envcontract/
sodium\.h|^base/'
while IFS='|' read -r header files; do
    while IFS= read -r file; do
        [ -n "$file" ] || continue
        [[ $file =~ $files ]] || breach "$file: <${header//\\/}> belongs to ${files//[\^\$\\]/}"
    done < <(git ls-files '*.c' '*.h' | grep -vE '^(tests|examples)/' | xargs grep -lE "^#include <$header>")
done <<<"$foreign"

# ---- who may see a secret -------------------------------------------------------------------------
allowed=tests/lib/secret_reveal.list
while IFS= read -r file; do
    grep -qxF "$file" "$allowed" || breach "$file: calls secret_reveal() and is not in $allowed"
done < <(git ls-files '*.c' '*.h' | grep -vE '^tests/|^base/secret\.[ch]$' | xargs grep -l 'secret_reveal(')
while IFS= read -r file; do
    case $file in '' | '#'*) continue ;; esac
    grep -q 'secret_reveal(' "$file" 2>/dev/null || breach "$allowed: $file does not call secret_reveal()"
done <"$allowed"

# ---- what never appears ---------------------------------------------------------------------------
while IFS= read -r hit; do breach "$hit: O_CLOEXEC is missing"; done < <(
    git ls-files '*.c' | grep -v '^tests/' | xargs grep -nE '\b(open|openat)\(' /dev/null |
        grep -vE 'O_CLOEXEC|O_PATH|//|/\*|_open\(|open\([^,]*$' | cut -d: -f1,2)
while IFS= read -r hit; do breach "$hit: unfinished work"; done < <(
    git ls-files '*.c' '*.h' '*.py' '*.sh' Makefile | grep -v '^tests/lib/lint.sh$' |
        xargs grep -nE '\b(TODO|FIXME|XXX|HACK)\b[:(]' /dev/null | cut -d: -f1,2)

# ---- the ledger and the pains: each row names what proves it, and that is there -------------------------
ledger=tests/LEDGER.md
pains=docs/PAINS.md
tests_there=$({
    git ls-files 'tests/unit/*.c' | xargs grep -hoE '^static void [a-z0-9_]+\(void \*\*' | sed 's/.* void //; s/(.*//; s/^static void //'
    git ls-files 'tests/integration/*.py' 'tests/live/*.py' | xargs grep -hoE '^def test_[a-z0-9_]+' | sed 's/^def //'
} | sort -u)
# What `KIND:NAME` stands for.
is_there() {
    case $1 in
    test) grep -qxF "$2" <<<"$tests_there" ;;
    bench) grep -qE "^def $2\(" tests/bench/cases.py ;;
    fuzz) [ -e "tests/fuzz/$2.c" ] && [ -n "$(ls -A "tests/fuzz/corpus/$2" 2>/dev/null)" ] ;;
    *) return 1 ;;
    esac
}
for page in "$ledger" "$pains"; do
    # shellcheck disable=SC2016 # the backquotes are Markdown's
    while IFS=: read -r kind name; do
        is_there "$kind" "$name" || breach "$page: there is no $kind $name"
    done < <(grep -oE '`(test|bench|fuzz):[a-z0-9_]+`' "$page" | tr -d '`' | sort -u)
done
for pain in {1..25}; do
    # shellcheck disable=SC2016
    [ "$(grep -cE "^\| $pain \|.*\`test:" "$pains")" -eq 1 ] || breach "$pains: $pain has no row with a test, or two"
done
# shellcheck disable=SC2016
while IFS= read -r row; do breach "$ledger: nothing proves: $row"; done < <(
    grep -E '^\| (R[0-9]|T[0-9]|M4|I3-|F-)' "$ledger" | grep -vE '`(test|bench|fuzz):' | grep -v 'not in this version')
for row in R{1..22} T{1..49}; do
    [ "$(grep -cE "^\| $row \|" "$ledger")" -eq 1 ] || breach "$ledger: $row has no row, or two"
done
while IFS= read -r source; do
    target=${source##*/}
    grep -q "fuzz:${target%.c}\`" "$ledger" || breach "$ledger: no row for $source"
done < <(git ls-files 'tests/fuzz/*_*.c')

# ---- layout, shell ---------------------------------------------------------------------------------
if command -v clang-format >/dev/null; then
    while IFS= read -r file; do breach "$file: make fmt"; done < <(
        git ls-files '*.c' '*.h' | xargs clang-format --dry-run 2>&1 |
            sed -n 's/^\([^: ]*\):[0-9]*:[0-9]*: warning: .*clang-format.*/\1/p' | sort -u)
else
    breach 'clang-format is not installed'
fi
if command -v shellcheck >/dev/null; then
    while IFS= read -r file; do
        shellcheck -x "$file" >&2 || breach "$file: shellcheck"
    done < <(git ls-files '*.sh' .ci/run)
else
    breach 'shellcheck is not installed'
fi
if command -v mandoc >/dev/null; then
    while IFS= read -r page; do
        [ -n "$page" ] || continue
        mandoc -Tlint -W warning "$page" >&2 || breach "$page: mandoc"
    done < <(git ls-files 'docs/man/*')
fi

[ "$breaches" -eq 0 ] || { echo "lint: $breaches breaches" >&2; exit 1; }
echo 'lint: no breach'
