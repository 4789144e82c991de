"""Programs that tests start: each is stopped by its process id, with its folder, whatever happens.

Everything that must be undone registers here; `stop_everything` runs at exit and on SIGTERM, SIGINT
and SIGHUP, so that a run that is broken off leaves nothing behind either.
"""
from __future__ import annotations

import atexit
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.02
MEMORY_LEAST_BYTES = 6 << 30  # free, for a run's servers of 50 to 100 MB each and what is left for the rest

_lock = threading.RLock()
_undo: Dict[int, Callable[[], None]] = {}
_next_key = 0


class NotReady(Exception):
    """A server did not come up; the text has what it wrote."""


def register(undo: Callable[[], None]) -> int:
    """Have `undo` called at exit unless `unregister` comes first; gives the key for that."""
    global _next_key
    with _lock:
        _next_key += 1
        _undo[_next_key] = undo
        return _next_key


def unregister(key: int) -> None:
    """Forget what `register` gave `key` for."""
    with _lock:
        _undo.pop(key, None)


def stop_everything() -> None:
    """Undo what is still registered, the newest first; one that fails is said and does not stop the rest."""
    while True:
        with _lock:
            if not _undo:
                return
            _, undo = _undo.popitem()
        try:
            undo()
        except Exception as problem:  # the others must still be stopped
            print(f"clean-up: {type(problem).__name__}: {problem}", file=sys.stderr)


def _on_signal(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def stop_on_signals() -> None:
    """Turn signals that end a program into an exit, which undoes what is registered."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _on_signal)
    # A shell's background job ignores it, and what is started here would inherit that.
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


atexit.register(stop_everything)


class Folder:
    """A temporary folder of its own, removed at the end. `owner`: the user that it belongs to."""

    def __init__(self, prefix: str = "agent-test-", parent: Optional[Path] = None,
                 owner: Optional[str] = None) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=str(parent) if parent else None))
        self._key = register(self.remove)
        if owner:
            entry = pwd.getpwnam(owner)
            os.chown(self.path, entry.pw_uid, entry.pw_gid)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        """Write a file in the folder; gives its path."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def remove(self) -> None:
        """Remove the folder and what is in it."""
        unregister(self._key)
        shutil.rmtree(self.path, ignore_errors=True)


def folder_in_memory() -> Optional[Path]:
    """Where a folder of a thousand files is made in a sixth of the time; None where there is little room."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        return None
    files = os.statvfs(memory)
    available = re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
    room = min(files.f_bavail * files.f_frsize, int(available.group(1)) * 1024 if available else 0)
    return memory if room >= MEMORY_LEAST_BYTES else None


class Program:
    """A program in the background, its output in a file; `stop` ends it by its process id."""

    def __init__(self, argv: Sequence[str], log: Path, env: Optional[Mapping[str, str]] = None,
                 cwd: Optional[Path] = None, user: Optional[str] = None,
                 stop_signal: int = signal.SIGTERM) -> None:
        self.argv, self.log, self.stop_signal = list(argv), log, stop_signal
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=dict(env) if env is not None else None, cwd=str(cwd) if cwd else None,
                start_new_session=True, **as_user(user))
        self._key = register(self.stop)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def ended(self) -> bool:
        """Has it ended by itself?"""
        return self.process.poll() is not None

    def output(self) -> str:
        """What it wrote so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End it: the stop signal, and KILL when that does not help in time."""
        unregister(self._key)
        if self.ended():
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL, as a machine that loses power."""
        unregister(self._key)
        if not self.ended():
            self.process.kill()
        self.process.wait()


def as_user(user: Optional[str]) -> Dict[str, Any]:
    """The arguments of subprocess that make a child run as `user` (None: as we are)."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def reachable(folder: Path, user: Optional[str]) -> bool:
    """May `user` go into `folder`? (A clone in somebody's private home is closed to a server's user.)"""
    return subprocess.run(["test", "-x", str(folder)], cwd="/", timeout=STOP_SECONDS,
                          **as_user(user)).returncode == 0


def wait_until(ready: Callable[[], bool], what: str, program: Optional[Program] = None,
               seconds: float = READY_SECONDS) -> None:
    """Wait until `ready()`; NotReady, with the program's output, when it ends or time is over."""
    end = time.monotonic() + seconds
    while not ready():
        if program is not None and program.ended():
            raise NotReady(f"{what}: ended with {program.process.returncode}:\n{program.output()}")
        if time.monotonic() > end:
            raise NotReady(f"{what}: not ready after {seconds:g} s:\n"
                           f"{program.output() if program else ''}")
        time.sleep(POLL_SECONDS)


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(port: int) -> bool:
    """Does something listen on the loopback's `port`?"""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Skip(Exception):
    """A test can't be run here; the text says why."""


def other_postgres() -> Optional[Path]:
    """The folder of a PostgreSQL that is tested with in place of the machine's, or None."""
    named = os.environ.get("AGENT_TEST_POSTGRES", "")
    return Path(named) if named else None


def plain_environment(home: Path, more: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
    """An environment without what this machine's owner has set: PATH with our Python first."""
    path: List[str] = [str(Path(sys.executable).parent), "/usr/local/sbin", "/usr/local/bin",
                       "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
    other = other_postgres()
    if other:
        path.insert(0, str(other))  # where `agent guard --ephemeral` looks first
    env = {"PATH": ":".join(path), "HOME": str(home), "LANG": "C.UTF-8",
           "PYTHONDONTWRITEBYTECODE": "1"}
    env.update(more or {})
    return env
