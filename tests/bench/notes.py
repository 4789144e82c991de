"""The words of docs/BENCH.md: what a section compares, and why a target is missed."""
from typing import Dict

INTRODUCTIONS: Dict[str, str] = {
    "Start":
        "The floor is a C program that links jansson, libsodium and PCRE2 and does nothing; an "
        "empty C program and the peers are there for orientation.",
    "Fetch, then exec `/bin/true`":
        "KV version 2 from a real OpenBao over TLS with a given token, each path another secret. "
        "The floor is a libcurl program with all requests in flight over one connection with "
        "HTTP/2.",
    "Bootstrap":
        "A fresh database; each table has ten columns, a primary key, an index and a foreign key, "
        "in the statements that pg_dump writes (four for each). `agent bootstrap` reads 125 "
        "Alembic revisions, locks, makes, stamps and looks again from a new connection. The floor "
        "sends the file as one query and does nothing else: one round trip behind the log-in, where "
        "three (of the five that are allowed) make the result certain: the lock with the look under it, the "
        "script, and COMMIT, with which the second look comes back. The count does not grow with the schema, so "
        "that over a link the ratio to the floor is the link's, and has no target. Alembic makes the same tables in "
        "125 revisions.",
    "A herd":
        "Fifty `agent bootstrap` start at once on an empty database of 100 tables; every one must "
        "exit 0, and the last end counts. The target is twice a single one's time and one second.",
    "Memory":
        "The largest resident size of `agent bootstrap` with a file as pg_dump writes it, data as "
        "COPY included; the target is the file and 32 MB.",
    "Check":
        "`agent check --env-only`; every variable has a pattern and a value that matches. The "
        "floor reads the same file with jansson and matches the same patterns with PCRE2. Then "
        "the processor time of parsing a contract (`agent check --lint`), and of checking a file of as many "
        "values (`--env-file`), for each further variable; and of contracts as large as one may be, each full of "
        "one thing (tests/lib/hostile.py), the slowest one's processor time and the largest one's memory.",
    "Output without secrets":
        "`cat` of a log, its output passed on by `agent run --redact`, which looks for ten secrets in some twenty shapes "
        "each, split writes included; sed looks for the ten alone, line by line. The floor is the same start without "
        "`--redact`: there is nobody between `cat` and the file.",
    "Graph":
        "`agent graph` reads every revision file; `alembic heads` imports each. Then the processor "
        "time of each further revision, from a thousand to ten and to a hundred thousand.",
    "Guard":
        "`agent guard --ephemeral` on examples/acme: a throwaway server, both paths side by side, "
        "the project's own stamp, the offline SQL replayed, migrate once more in both, all catalogs "
        "compared. The slower path's commands are those of the project that the guard has to run on "
        "that path, each run by itself on a server that is there already, one after the other: "
        "migrate and migrate again (A), or emit, stamp and migrate again (B). The target is 1.15 "
        "times that, and 1.5 s for the server.",
    "Catalog":
        "`agent verify --schema`: one message to the server, its answer as sorted objects, and "
        "these as text. `pg_dump -s` is there for orientation. Comparing two of this size takes "
        "some tens of milliseconds more (tests/unit/bootstrap_diff_memory.c).",
    "As the application's parent":
        "`agent run --supervise --` and `tini -s --` before a program that says when it began; then both as PID 1 of "
        "a namespace before `sleep`.",
    "Rotation":
        "Of `agent rotate` over a link with 20 ms to Vault and to PostgreSQL: what it takes longer than "
        "without the delay, as round trips one after another. The least that the steps need is a list "
        "in tests/bench/rotation.py; tests/integration/test_rotate_trips.py counts the requests "
        "exactly. The gap of `pg-login` is the time in which a new connection with the published "
        "credential is refused.",
    "Audit":
        "`agent audit` on examples/acme runs Alembic's offline command itself, parses the SQL and "
        "writes 254 files; the target is the command's time and 0.2 s.",
}

_CONSTANT = (
    "The difference does not grow with the schema: it is the looks at the catalogs (a session "
    "that is new plans such a query for some milliseconds), a second connection that is made while "
    "the script runs, and COMMIT.")
_HERD = (
    "Bound by the processors: each of the fifty loads libpq, logs in (SCRAM) and looks at the "
    "catalogs, a waiter twice, and PostgreSQL starts a process for each connection.")
_CPU = (
    "Most of it is loading libpq with the libraries behind it and two log-ins (SCRAM, some 7 ms each in "
    "libpq): a program that does that, sends the file and does nothing else is in the rows below, against "
    "ours and against alembic: where its own ratio is at the target, none that looks again from a new "
    "connection can be below. What is left is 125 revision files, cutting the SQL, and the looks.")
_FETCH = (
    "One request more than the floor, which knows that the mount is KV version 2; everything that "
    "held a secret is wiped; and a child does it, so that a parent that stays has neither curl nor "
    "TLS in its memory (`--replace` goes without: some 0.4 ms).")
_START = (
    "A few page faults more than the floor; seen where the machine is busy (see the CPU column).")
_GUARD = (
    "Bound by the processors: six starts of Python in all and a server, twice the work of the slower "
    "path's commands (the CPU column), on two cores; whatever else runs takes from the second one, "
    "which those commands do not need.")
_CATALOG = (
    "The server's own work: most of it is pg_get_constraintdef, pg_get_indexdef and format_type for "
    "each object, on one processor; the load of the machine is in it as it is.")
_AUDIT = "Nearly all of it is the offline command itself (the CPU column)."

_TRIPS = (
    "More than the least: that the former is not current again is looked at before it is taken away, "
    "and the receipt is written behind the metadata.")

# By the key of a row; printed only while its target is in fact missed.
NOTES: Dict[str, str] = {
    "start": _START,
    "fetch-approle-20": _FETCH, "fetch-1-0": _FETCH, "fetch-20-0": _FETCH, "fetch-1-20": _FETCH, "fetch-20-20": _FETCH,
    "bootstrap-100-0": _CONSTANT, "bootstrap-1000-0": _CONSTANT,
    "herd-0": _HERD, "herd-20": _HERD,
    "rotate-trips": _TRIPS,
    "guard": _GUARD, "catalog": _CATALOG, "audit": _AUDIT,
    "cpu-100": _CPU, "cpu-1000": _CPU,
}
