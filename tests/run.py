#!/usr/bin/env python3
"""Run the tests: every unit test binary, the corpus of every fuzz target, and every test_* function of
tests/integration/*.py.

    tests/run.py                     all: units as asan, and as debug those for which that is another
                                     test (every one with AGENT_LONG=1); the rest with the asan build
    tests/run.py PATTERN...          what has one of the patterns in its name (globs are allowed)
    tests/run.py --variant cover     units of that build alone, integration with that agent
    tests/run.py --list              the names
    tests/run.py --live              those of tests/live/*.py alone: real containers, a systemd (make live)
    tests/run.py --binaries debug    the unit test binaries of that build that it would run

More of them run at once than there are cores, since many wait for a server or a clock. A whole run ends
with the slowest and the processor time of it all. The last line counts each test: `N passed, N failed`.
Exit 1 when one failed, or when none ran.
"""
from __future__ import annotations

import argparse
import faulthandler
import fnmatch
import importlib
import inspect
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Callable, List, Optional, Tuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.lib.case import Case, Shared, Skip  # noqa: E402
from tests.lib.processes import (ROOT, folder_in_memory, plain_environment, register,  # noqa: E402
                                 stop_everything, stop_on_signals, unregister)

UNIT_VARIANTS = ["debug", "asan"]
FUZZ_VARIANT = "asan"
WORKERS = (os.cpu_count() or 2) + 2
CALM_WORKERS = 2 * WORKERS  # they wait for their leases most of the time
SLOWEST = 20  # are listed
UNIT_SECONDS = 300
CASE_SECONDS = 6 * 3600 if os.environ.get("AGENT_LONG") or "--live" in sys.argv else 600
OUTPUT_MAX_CHARACTERS = 20000
CMOCKA_LINE = re.compile(r"\[\s+(RUN|OK|FAILED|SKIPPED|ERROR)\s+\] (\w+)\s*$")


class Outcome:
    """What one item (a binary with its tests, or one Python test) came to."""

    def __init__(self, passed: int = 0, failed: int = 0, skipped: int = 0, note: str = "",
                 output: str = "") -> None:
        self.passed, self.failed, self.skipped = passed, failed, skipped
        self.note, self.output = note, output


class Item:
    """Something to run. `alone`: nothing else may run beside it. `calm`: beside its like alone, since it
    lives against a clock. `binary`: what must have been built."""

    def __init__(self, name: str, run: Callable[[], Outcome], alone: bool = False, calm: bool = False,
                 binary: Optional[Path] = None) -> None:
        self.name, self.run, self.alone, self.calm, self.binary = name, run, alone, calm, binary


# ---- unit tests ---------------------------------------------------------------------------------


def is_another_as_debug(source: Path) -> bool:
    """Whether a unit test counts or measures memory itself, and so leaves parts out under asan."""
    return re.search("tests/lib/heap.h|__SANITIZE_ADDRESS__", source.read_text()) is not None


def unit_items(variants: List[str], everything: bool) -> List[Item]:
    """One item for each test source and variant; one whose binary is missing fails."""
    items = []
    for variant in variants:
        for source in sorted((ROOT / "tests" / "unit").glob("*.c")):
            if variant == "debug" and not everything and not is_another_as_debug(source):
                continue
            binary = ROOT / "build" / variant / "unit" / source.stem
            items.append(Item(f"unit/{variant}/{source.stem}", partial(run_binary, binary),
                              binary=binary))
    return items


def run_binary(binary: Path) -> Outcome:
    """Run one cmocka program and count its tests."""
    if not binary.exists():
        return Outcome(failed=1, output=f"{binary}: not built")
    memory = folder_in_memory()
    env = plain_environment(Path(os.environ.get("HOME", "/")), {"TMPDIR": str(memory)} if memory else None)
    process = subprocess.Popen([str(binary)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, cwd=str(ROOT), start_new_session=True, env=env)
    key = register(lambda: end_group(process))
    try:
        output, _ = process.communicate(timeout=UNIT_SECONDS)
        late = ""
    except subprocess.TimeoutExpired:
        end_group(process)
        output, _ = process.communicate()
        late = f"not ended after {UNIT_SECONDS} s"
    finally:
        unregister(key)
    return count_cmocka(output.decode(errors="replace"), process.returncode, late)


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill a binary with what it started: they are in a session of their own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def count_cmocka(text: str, code: int, late: str) -> Outcome:
    """Count by the lines of each test; what ended the program between them counts as a failure."""
    outcome = Outcome()
    running: Optional[str] = None
    for line in text.splitlines():
        found = CMOCKA_LINE.search(line)
        if not found:
            continue
        word, name = found.groups()
        if word == "RUN":
            running = name
        elif name == running:
            outcome.passed += word == "OK"
            outcome.skipped += word == "SKIPPED"
            outcome.failed += word in ("FAILED", "ERROR")
            running = None
    if late or (code != 0 and outcome.failed == 0) or (
            outcome.passed + outcome.failed + outcome.skipped == 0):
        outcome.failed += 1
        how = f"signal {-code}" if code < 0 else f"exit {code}"
        outcome.note = late or f"{how}{' in ' + running if running else ''}"
    if outcome.failed:
        outcome.output = text
    return outcome


# ---- fuzz targets: their corpora, replayed ---------------------------------------------------------


def fuzz_items(variant: str) -> List[Item]:
    """One item for each target; one whose binary is missing fails."""
    items = []
    for source in sorted((ROOT / "tests" / "fuzz").glob("*_*.c")):
        binary = ROOT / "build" / variant / "fuzz" / source.stem
        items.append(Item(f"fuzz/{variant}/{source.stem}", partial(replay, binary)))
    return items


def replay(binary: Path) -> Outcome:
    """Run a target over its corpus: one test, which a broken promise or a sanitizer ends."""
    if not binary.exists():
        return Outcome(failed=1, output=f"{binary}: not built")
    corpus = ROOT / "tests" / "fuzz" / "corpus" / binary.name
    done = subprocess.run([str(binary), str(corpus)], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=UNIT_SECONDS, cwd=str(ROOT),
                          env=plain_environment(Path(os.environ.get("HOME", "/"))))
    output = (done.stdout + done.stderr).decode(errors="replace")
    if done.returncode != 0:
        return Outcome(failed=1, output=output, note=f"exit {done.returncode}")
    return Outcome(passed=1, note=output.strip())


# ---- integration tests --------------------------------------------------------------------------


def python_items(folder: str, shared: Shared, variant: Optional[str]) -> List[Item]:
    """One item for each test function of a folder, in the order of the files."""
    items = []
    for source in sorted((ROOT / "tests" / folder).glob("test_*.py")):
        try:
            module = importlib.import_module(f"tests.{folder}.{source.stem}")
        except Exception:
            text = traceback.format_exc()
            items.append(Item(f"{folder}/{source.stem}",
                              partial(Outcome, failed=1, output=text)))
            continue
        for name, test in vars(module).items():
            if name.startswith("test_") and inspect.isfunction(test):
                full = f"{folder}/{source.stem}.{name}"
                build = variant or getattr(module, "VARIANT", None)
                items.append(Item(full, partial(run_case, full, test, shared, build),
                                  getattr(test, "alone", False), getattr(module, "CALM", False)))
    return items


def run_case(name: str, test: Callable[..., None], shared: Shared,
             variant: Optional[str]) -> Outcome:
    """Run one Python test with tools of its own, and close them."""
    case = Case(name, shared, variant)
    outcome = Outcome(passed=1)
    try:
        test(case) if inspect.signature(test).parameters else test()
    except Skip as why:
        outcome = Outcome(skipped=1, note=str(why))
    except Exception:
        outcome = Outcome(failed=1, output="\n".join(case.log + [traceback.format_exc()]))
    try:
        case.close()
    except Exception:
        outcome.failed, outcome.passed = 1, 0
        outcome.output += "\nwhile closing the test:\n" + traceback.format_exc()
    return outcome


# ---- running ------------------------------------------------------------------------------------


class Run:
    """Runs items, prints each as it ends, adds up."""

    def __init__(self) -> None:
        self.total = Outcome()
        self.failures: List[str] = []
        self.seconds: List[Tuple[float, str]] = []
        self._lock = threading.Lock()

    def one(self, item: Item) -> None:
        """Run an item; whatever happens in it is its outcome."""
        began = time.monotonic()
        watch = threading.Timer(CASE_SECONDS, give_up, [item.name])
        watch.daemon = True
        watch.start()
        try:
            outcome = item.run()
        except Exception:
            outcome = Outcome(failed=1, output=traceback.format_exc())
        finally:
            watch.cancel()
        self._add(item, outcome, time.monotonic() - began)

    def _add(self, item: Item, outcome: Outcome, seconds: float) -> None:
        word = "FAIL" if outcome.failed else "ok" if outcome.passed else "skip"
        parts = [f"{outcome.passed} passed"] if outcome.passed + outcome.failed > 1 else []
        parts += [f"{outcome.failed} failed"] if outcome.failed else []
        parts += [f"{outcome.skipped} skipped"] if outcome.skipped and outcome.passed else []
        parts += [outcome.note] if outcome.note else []
        with self._lock:
            self.total.passed += outcome.passed
            self.total.failed += outcome.failed
            self.total.skipped += outcome.skipped
            self.seconds.append((seconds, item.name))
            print(f"{word:4} {item.name}  {', '.join(parts + [f'{seconds:.1f} s'])}", flush=True)
            if outcome.failed:
                self.failures.append(item.name)
                print(indent(outcome.output), flush=True)

    def all(self, items: List[Item]) -> None:
        """WORKERS at a time; behind them those that want calm; then those that must be alone."""
        for calm, workers in ((False, WORKERS), (True, CALM_WORKERS)):
            self._some([item for item in items if not item.alone and item.calm == calm], workers)
        for item in items:
            if item.alone:
                self.one(item)

    def _some(self, items: List[Item], workers: int) -> None:
        pool = ThreadPoolExecutor(workers)
        try:
            list(pool.map(self.one, items))
        except BaseException:  # broken off: nothing new begins, what runs loses its servers
            pool.shutdown(wait=False, cancel_futures=True)
            stop_everything()
            raise
        pool.shutdown()

    def print_slowest(self, began: float) -> None:
        """Where the time went; what ran beside others took longer for it."""
        print("slowest:")
        for seconds, name in sorted(self.seconds, reverse=True)[:SLOWEST]:
            print(f"{seconds:7.1f} s  {name}")
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        processor = sum(one.ru_utime + one.ru_stime for one in used)
        print(f"{time.monotonic() - began:.0f} s, {processor:.0f} s of processor time")


def give_up(name: str) -> None:
    """A test hangs in Python itself: show where, stop what runs, end."""
    print(f"FAIL {name}  not ended after {CASE_SECONDS} s", flush=True)
    faulthandler.dump_traceback(all_threads=True)
    stop_everything()
    os._exit(1)


def indent(text: str) -> str:
    """The end of an output, four columns in."""
    cut = text if len(text) <= OUTPUT_MAX_CHARACTERS else "...\n" + text[-OUTPUT_MAX_CHARACTERS:]
    return "\n".join("    " + line for line in cut.rstrip().splitlines())


def wanted(name: str, patterns: List[str]) -> bool:
    """Does one of the patterns fit?"""
    return not patterns or any(fnmatch.fnmatch(name, f"*{pattern}*") for pattern in patterns)


def main() -> int:
    """See the head of the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("patterns", nargs="*", metavar="PATTERN")
    parser.add_argument("--variant", help="one build: its unit tests, and its agent")
    parser.add_argument("--list", action="store_true", help="print the names and run nothing")
    parser.add_argument("--binaries", metavar="VARIANT",
                        help="print what must have been built of that build's unit tests")
    parser.add_argument("--live", action="store_true", help="those of tests/live alone")
    options = parser.parse_args()
    everything = bool(options.variant or options.patterns or os.environ.get("AGENT_LONG"))
    if options.binaries:
        print("\n".join(str(item.binary.relative_to(ROOT)) for item in
                        unit_items([options.binaries], everything) if item.binary))
        return 0

    stop_on_signals()
    began, shared, run = time.monotonic(), Shared(), Run()
    if options.live:
        items = python_items("live", shared, options.variant)
    else:
        items = unit_items([options.variant] if options.variant else UNIT_VARIANTS, everything)
        items += fuzz_items(options.variant or FUZZ_VARIANT)
        items += python_items("integration", shared, options.variant)
    items = [item for item in items if wanted(item.name, options.patterns)]
    if options.list:
        print("\n".join(item.name for item in items))
        return 0
    try:
        run.all(items)
    finally:
        shared.stop()
    if len(items) > SLOWEST:
        run.print_slowest(began)
    if run.failures:
        print("failed: " + ", ".join(run.failures))
    skipped = f", {run.total.skipped} skipped" if run.total.skipped else ""
    print(f"{run.total.passed} passed, {run.total.failed} failed{skipped}", flush=True)
    return 0 if run.total.passed and not run.total.failed else 1


if __name__ == "__main__":
    sys.exit(main())
