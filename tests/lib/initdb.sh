#!/usr/bin/env bash
# A new PostgreSQL cluster: initdb's, or a copy of what it made before with the same words. That takes a
# third of its processor time, and a run of the tests makes a hundred. Kept in build/clusters, for those
# who may write there.
#
#   initdb.sh BINARIES DATA PASSWORD-FILE OPTION...   the folder with initdb; the folder to make
#
# As root it is made as, and belongs to, the user postgres: PostgreSQL runs for no root.
set -euo pipefail
binaries=$1 data=$2 password=$3
shift 3
as_owner=()
[ "$(id -u)" != 0 ] || as_owner=(setpriv --reuid=postgres --regid=postgres --clear-groups)

# Another build of PostgreSQL at the same place is another file.
key=$({
    stat -L -c '%n %s %Y' "$binaries/initdb" "$binaries/postgres"
    printf '%s\n' "$(id -u)" "$@"
    cat "$password"
} | sha256sum | cut -c1-16)
kept=$(dirname "$0")/../../build/clusters/$key

if [ -d "$kept" ]; then
    cp -a "$kept" "$data"
    exit
fi
"${as_owner[@]}" "$binaries/initdb" -D "$data" --no-sync --pwfile="$password" "$@"
mkdir -p "${kept%/*}" 2>/dev/null && [ -w "${kept%/*}" ] || exit 0
half=$(mktemp -d "$kept.XXXXXX")
cp -a "$data" "$half/data"
# Who comes second finds a folder that is not empty there, and leaves it.
mv -T "$half/data" "$kept" 2>/dev/null || [ -d "$kept" ]
rm -rf "$half"
