"""Times of commands, side by side: what is run, how often, in which order, and what counts.

Every repetition runs each side once, in alternating order, so that drift of the machine hits all of
them. The commands are started by measure.c. What prepares a run (a fresh database) is not timed.
"""
from __future__ import annotations

import shlex
import statistics
import subprocess
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Optional, Sequence

from tests.lib.servers import Folder, plain_environment

REPETITIONS = 10
# A peer whose first run takes longer than this is run that often only, the first one included: its
# ratio is far from any limit, and a bench that takes an hour is not run.
SLOW_MS = ((20000.0, 1), (2000.0, 3))
RUN_SECONDS = 600
MS_PER_NS, MS_PER_US = 1e-6, 1e-3
FLOORS = {"empty": [], "now": [], "start": ["jansson", "libsodium", "libpcre2-8"],
          "fetch": ["libcurl", "jansson"], "query": ["libpq"], "check": ["jansson", "libpcre2-8"]}


class BenchError(Exception):
    """A command did not do what is measured; the text has what it wrote."""


class Cost:
    """What one run of a command cost."""

    def __init__(self, wall_ms: float, cpu_ms: float, peak_kib: float) -> None:
        self.wall_ms, self.cpu_ms, self.peak_kib = wall_ms, cpu_ms, peak_kib


class Sample:
    """All runs of one side; each figure is the median."""

    def __init__(self) -> None:
        self.costs: List[Cost] = []

    @property
    def count(self) -> int:
        """How many runs."""
        return len(self.costs)

    @property
    def wall_ms(self) -> float:
        """From start to end."""
        return statistics.median(cost.wall_ms for cost in self.costs)

    @property
    def cpu_ms(self) -> float:
        """User and system time of the command and what it started."""
        return statistics.median(cost.cpu_ms for cost in self.costs)

    @property
    def peak_kib(self) -> float:
        """The largest resident size: the maximum of the runs, not their median."""
        return max(cost.peak_kib for cost in self.costs)


class Side:
    """A command to be timed. `before` prepares each run and gives what to add to the environment;
    `after` undoes it. `copies`: that many at once, and the last end counts."""

    def __init__(self, name: str, argv: Sequence[str], env: Optional[Mapping[str, str]] = None,
                 cwd: Optional[Path] = None, copies: int = 1, slow: bool = False,
                 before: Optional[Callable[[], Mapping[str, str]]] = None,
                 after: Optional[Callable[[], None]] = None) -> None:
        self.name, self.argv, self.env = name, list(argv), dict(env or {})
        self.cwd, self.copies, self.slow = cwd, copies, slow
        self.before, self.after = before, after


class Stopwatch:
    """Builds measure.c and the floors, and runs sides."""

    def __init__(self, source: Path, repetitions: int, full: bool) -> None:
        self.folder = Folder("agent-bench-")
        self.repetitions, self.full = repetitions, full
        self._compile(source / "measure.c", "measure", [])
        for name, packages in FLOORS.items():
            self._compile(source / f"floor_{name}.c", f"floor_{name}", packages)

    def _compile(self, source: Path, name: str, packages: Sequence[str]) -> None:
        # A floor that calls nothing must still link what it is the floor of: the flag comes first.
        argv = ["gcc", "-O2", "-std=c17", "-D_GNU_SOURCE", "-Wl,--no-as-needed", "-o",
                str(self.folder / name), str(source)]
        if packages:
            argv += _output(["pkg-config", "--cflags", "--libs", *packages]).split()
        _output(argv)

    def floor(self, name: str) -> str:
        """The path of a floor."""
        return str(self.folder / f"floor_{name}")

    def compare(self, sides: Sequence[Side], times: int = 1) -> Dict[str, Sample]:
        """Run all sides, `times` the repetitions; what is slow by its first run is run less often,
        unless all must be full."""
        repetitions = self.repetitions * times
        samples = {side.name: Sample() for side in sides}
        wanted: Dict[str, int] = {}
        for side in sides:  # the first run warms the caches and is not counted, unless it is slow
            first = self.run(side)
            wanted[side.name] = repetitions
            if side.slow and not self.full:
                wanted[side.name] = next((min(repetitions, often) for limit_ms, often in SLOW_MS
                                          if first.wall_ms > limit_ms), repetitions)
            if wanted[side.name] < repetitions:
                samples[side.name].costs.append(first)
        for turn in range(repetitions):
            for side in (sides if turn % 2 == 0 else list(reversed(sides))):
                if samples[side.name].count < wanted[side.name]:
                    samples[side.name].costs.append(self.run(side))
        return samples

    def run(self, side: Side) -> Cost:
        """One run of one side. BenchError when it does not exit 0."""
        env = plain_environment(self.folder.path, side.env)
        if side.before:
            env.update(side.before())
        try:
            return self._run(side, env)
        finally:
            if side.after:
                side.after()

    def _run(self, side: Side, env: Mapping[str, str]) -> Cost:
        result, said = self.folder / "result", self.folder / "said"
        argv = [str(self.folder / "measure"), str(result), str(side.copies), *side.argv]
        with open(said, "wb") as output:
            code = subprocess.run(argv, env=dict(env), stdin=subprocess.DEVNULL, stdout=output,
                                  stderr=output, cwd=str(side.cwd or self.folder.path),
                                  timeout=RUN_SECONDS).returncode
        lines = [line.split() for line in result.read_text().splitlines()] if code == 0 else []
        failed = [line[4] for line in lines if line[4] != "0"]
        if code != 0 or failed:
            words = said.read_text(errors="replace")[-2000:]
            raise BenchError(f"{side.name}: {shlex.join(side.argv)}\n"
                             f"exit {', '.join(failed) or code}\n{words}")
        return Cost(max(int(line[0]) for line in lines) * MS_PER_NS,
                    sum(int(line[1]) + int(line[2]) for line in lines) * MS_PER_US,
                    max(int(line[3]) for line in lines))


def _output(argv: Sequence[str]) -> str:
    done = subprocess.run(list(argv), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"{shlex.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def first_line(argv: Sequence[str]) -> str:
    """The first line that a command prints on either output, for versions."""
    done = subprocess.run(list(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60)
    return (done.stdout.splitlines() or [""])[0].strip()
