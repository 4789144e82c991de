#!/usr/bin/env python3
"""`make bench`: times as ratios, all sides in one run; prints as it goes, writes docs/BENCH.md.

    run.py [--quick] [--full] [--only PART...] [--output FILE]

--quick: three repetitions of the smallest cases; --only: some parts. Neither writes the document
unless --output says where. --full: ten repetitions of slow peers too.
"""
from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import List

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

# pylint: disable=wrong-import-position
from tests.bench import rotation, supervision
from tests.bench.cases import AGENT, ALEMBIC, Bench, find_peer
from tests.bench.cases import PARTS as COMMANDS
from tests.bench.harness import REPETITIONS, SLOW_MS, BenchError, Stopwatch, first_line
from tests.bench.report import Report, load, machine
from tests.lib.openbao import find_binary
from tests.lib.postgres import find_bindir
from tests.lib.servers import ROOT, stop_on_signals

PARTS = {**COMMANDS, "rotate": rotation.rotate, "supervise": supervision.supervise}
QUICK_REPETITIONS = 3
DOCUMENT = ROOT / "docs" / "BENCH.md"


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three repetitions, smallest cases")
    parser.add_argument("--full", action="store_true", help="ten repetitions of slow peers too")
    parser.add_argument("--only", nargs="+", choices=sorted(PARTS), metavar="PART",
                        help=f"of {', '.join(PARTS)}")
    parser.add_argument("--output", type=Path, help=f"instead of {DOCUMENT.relative_to(ROOT)}")
    return parser.parse_args()


def facts() -> List[str]:
    """The machine, and the version of everything that was compared."""
    packages = ["libcurl", "libpq", "jansson", "libsodium", "libpcre2-8"]
    versions = ", ".join(f"{name} {first_line(['pkg-config', '--modversion', name])}"
                         for name in packages)
    found = [machine(), first_line([AGENT, "version"]), first_line(["gcc", "--version"]), versions,
             first_line([str(find_bindir() / "postgres"), "--version"]),
             first_line([str(find_binary()), "version"]).split(" (")[0],
             first_line([ALEMBIC, "--version"]) + f" on Python {sys.version.split()[0]}"]
    for name in ("consul-template", "envconsul"):
        path = find_peer(name)
        said = first_line([path, "-version"]).strip(" ()") if path else f"{name}: not installed"
        found.append(said)
    return found


def main() -> int:
    """Measure and write. 0 also where a target is missed: that is a result, not a failure."""
    options = parse()
    stop_on_signals()
    if not Path(AGENT).exists():
        print(f"bench: {AGENT} is not built (make)", file=sys.stderr)
        return 2
    repetitions = QUICK_REPETITIONS if options.quick else REPETITIONS
    began, report, load_before = time.monotonic(), Report(), load()
    print(f"load average before: {load_before} on {os.cpu_count()} cores", flush=True)
    try:
        bench = Bench(Stopwatch(Path(__file__).parent, repetitions, options.full), report,
                      options.quick)
        for name in options.only or PARTS:
            PARTS[name](bench)
    except BenchError as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 1
    seconds = time.monotonic() - began
    often = {1: "once", 3: "three times"}
    slow = " and ".join(f"longer than {limit_ms / 1000:g} s {often[runs]}"
                        for limit_ms, runs in reversed(SLOW_MS))
    how = (f"Medians of at least {repetitions} runs, the sides in turn; a peer that takes {slow} "
           "only (column *runs*: ours/its; `run.py --full` runs all of them ten times). *CPU* is "
           "the ratio of the processor time of the commands and what they waited for. A proxy adds "
           "20 ms to each round trip, 10 ms in each direction. PostgreSQL runs without fsync, its "
           f"data in memory where /dev/shm is there. The whole took {seconds:.0f} s; the machine's "
           f"load average before it was {load_before} (what else runs slows all sides, unevenly).")
    output = options.output or (None if options.quick or options.only else DOCUMENT)
    if output:
        report.write(output, facts(), how)
        print(f"\nwritten: {output}")
    missed = report.missed()
    print(f"\n{len(missed)} targets missed, {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
