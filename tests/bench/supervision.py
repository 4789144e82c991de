"""agent as the parent of an application, against tini, which does nothing else: the time until the
application runs, and the memory that stays while nothing happens."""
from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from pathlib import Path
from typing import Dict, List, Optional

from tests.bench.cases import Bench
from tests.bench.harness import BenchError
from tests.bench.report import Row
from tests.lib.processes import wait_until
from tests.lib.supervised import children, namespace_command, state

TIMES, QUICK_TIMES = 300, 30
START_LIMIT, MEMORY_LIMIT = 1.3, 2.0
US_PER_NS = 1e-3


def supervise(bench: Bench) -> None:
    """Both, in one run."""
    bench.report.section("As the application's parent")
    tini = shutil.which("tini")
    commands = {"agent": [bench.agent, "run", "--supervise", "--"]}
    if tini:
        commands["tini"] = [tini, "-s", "--"]
    starts = _starts(commands, bench.watch.floor("now"), QUICK_TIMES if bench.quick else TIMES)
    bench.report.add(Row("supervise", "from the start of the parent to the application's first line",
                         starts["agent"], "tini", starts.get("tini"), START_LIMIT, unit="us",
                         runs=str(QUICK_TIMES if bench.quick else TIMES)))
    sizes = {name: _resident_kib(command) for name, command in commands.items()}
    bench.report.add(Row("supervise", "resident as PID 1, idle", sizes["agent"], "tini",
                         sizes.get("tini"), MEMORY_LIMIT, unit="KiB", runs="1"))


def _starts(commands: Dict[str, List[str]], now: str, times: int) -> Dict[str, float]:
    """The median of each side in microseconds; the sides take turns."""
    found: Dict[str, List[float]] = {name: [] for name in commands}
    for _ in range(times):
        for name, command in commands.items():
            began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            done = subprocess.run([*command, now], capture_output=True, env={"PATH": os.defpath})
            if done.returncode != 0:
                raise BenchError(f"{command} ended with {done.returncode}: {done.stderr!r}")
            found[name].append((int(done.stdout) - began) * US_PER_NS)
    return {name: statistics.median(values) for name, values in found.items()}


def _resident_kib(command: List[str]) -> float:
    """What the parent of a sleeping application holds, as PID 1 of a namespace."""
    outer = subprocess.Popen([*namespace_command(), *command, "sleep", "1000"],
                             env={"PATH": os.defpath})
    try:
        pid: Optional[int] = None
        wait_until(lambda: len(children(outer.pid)) == 1, "PID 1")
        pid = children(outer.pid)[0]
        wait_until(lambda: len(children(pid or 0)) == 1 and state(pid or 0) == "S", "its application")
        time.sleep(0.2)  # it is asleep because nothing is left to do, not on its way
        status = Path(f"/proc/{pid}/status").read_text()
        return float(status.partition("VmRSS:")[2].split()[0])
    finally:
        outer.kill()
        outer.wait()
