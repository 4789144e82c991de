"""agent as the parent of an application: as PID 1 of a namespace of its own, and not.

The application is tests/lib/supervised.c, compiled once for all tests, or any other command.
"""
from __future__ import annotations

import functools
import json
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from tests.lib.agent import SANITIZERS, Result, namespace_command
from tests.lib.case import Case
from tests.lib.processes import ROOT, Folder, plain_environment, register, unregister, wait_until

LINE_SECONDS = 20.0
END_SECONDS = 30.0
CORE_LIMIT = (0, 0)
BOTH = (True, False)  # as PID 1, and not
# Ends a process; KILL and those that end it with a core are among them.
FATAL = [number for number in range(1, 65)
         if number not in (32, 33) and number not in (signal.SIGCHLD, signal.SIGCONT, signal.SIGURG,
                                                      signal.SIGWINCH, signal.SIGSTOP,
                                                      signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)]


def can_be_pid_1() -> bool:
    """Whether this machine lets us."""
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*namespace_command(), "true"], capture_output=True).returncode == 0


def application(case: Case) -> str:
    """The path of the compiled application."""
    def build() -> str:
        folder = Folder()
        register(folder.remove)
        target = folder / "application"
        subprocess.run(["gcc", "-O1", "-std=c17", "-D_GNU_SOURCE", "-o", str(target),
                        str(ROOT / "tests" / "lib" / "supervised.c")], check=True)
        return str(target)
    return str(case.once("supervised application", build))


def modes(case: Case) -> List[bool]:
    """As PID 1 and not; without the former where that is not to be had (it is said)."""
    if case.once("can be PID 1", can_be_pid_1):
        return list(BOTH)
    case.say("no PID namespace can be made here: PID 1 is left out")
    return [False]


Test = Callable[[Case], None]


def _in_turn(test: Test, wanted: Callable[[List[bool]], List[bool]]) -> Test:
    @functools.wraps(test)
    def run(case: Case) -> None:
        for first in wanted(modes(case)):
            own = case.again(first)
            try:
                test(own)
            finally:
                own.close()
    return run


def in_both_modes(test: Test) -> Test:
    """The test is run twice: with `agent run` as PID 1, and as a plain parent."""
    return _in_turn(test, list)


def as_pid_1(test: Test) -> Test:
    """The test is run with `agent run` as PID 1, where that is to be had; with AGENT_LONG=1 also as a plain
    parent: for what takes seconds."""
    return _in_turn(test, lambda there: there if os.environ.get("AGENT_LONG") else there[:1])


class Supervised:
    """`agent run --supervise -- COMMAND`, with its stdout as lines. `pid` is agent's, seen from here."""

    def __init__(self, case: Case, command: Sequence[str], first: bool,
                 run: Optional[Mapping[str, Any]] = None, options: Sequence[str] = (),
                 env: Optional[Mapping[str, str]] = None, **how: Any) -> None:
        agent = case.make_agent()
        home = case.folder.path
        if run is not None:
            contract: Dict[str, Any] = {"contract": 1, "vars": {}, "run": run}
            (home / "contract.json").write_text(json.dumps(contract))
        before = namespace_command() if first else []
        self.argv = [*before, str(agent.binary), "run", "--supervise", *options, "--", *command]
        self._case, self._first, self._lines = case, first, b""
        how.setdefault("stderr", subprocess.PIPE)
        self.process = subprocess.Popen(
            self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=str(home),
            env=plain_environment(home, {**SANITIZERS, **(env or {})}), **how)
        self._key = register(self.process.kill)
        case.defer(self.kill)

    @property
    def pid(self) -> int:
        """agent's process id."""
        if not self._first:
            return self.process.pid
        wait_until(lambda: len(children(self.process.pid)) == 1, "the namespace's PID 1")
        return children(self.process.pid)[0]

    def application(self) -> int:
        """The application's process id, when it has been started."""
        wait_until(lambda: len(children(self.pid)) >= 1, "the application")
        return children(self.pid)[0]

    def signal(self, number: int) -> None:
        """Send agent a signal."""
        os.kill(self.pid, number)

    def line(self) -> str:
        """The next line of stdout."""
        assert self.process.stdout is not None
        descriptor, end = self.process.stdout.fileno(), time.monotonic() + LINE_SECONDS
        while b"\n" not in self._lines:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
            piece = os.read(descriptor, 65536) if ready else b""
            if not piece:
                raise AssertionError(f"no line: {self.argv}, but {self._lines!r}")
            self._lines += piece
        line, _, self._lines = self._lines.partition(b"\n")
        return line.decode()

    def wait(self, seconds: float = END_SECONDS) -> Result:
        """Its end."""
        try:
            out, err = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            raise AssertionError(f"not ended after {seconds:g} s: {self.argv}: {err!r}") from None
        unregister(self._key)
        result = Result(self.argv, self.process.returncode, self._lines + out, err or b"")
        self._case.say(str(result))
        return result

    def kill(self) -> None:
        """End it, whatever it does; with it goes what it started."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        unregister(self._key)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def children(pid: int) -> List[int]:
    """The children of a process, also those that wait to be reaped."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


def state(pid: int) -> str:
    """The letter of a process's state: S, T, Z; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
