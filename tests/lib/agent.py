"""The agent binary under test, and the canaries that must not be seen.

The build is asan unless said otherwise: by `AGENT_VARIANT` (release, debug, asan, cover), by
`AGENT_BINARY` (a binary itself), or by a test module's `VARIANT = "release"`, for what is about memory
or processes in numbers.
A secret in a test is a canary: registered here, it is looked for in all that a command writes, and in
the arguments of every process below it, raw and as base64, hex and percent-encoded text.
"""
from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import shlex
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set
from urllib.parse import quote

from tests.lib.processes import ROOT, plain_environment, register, unregister

DEFAULT_VARIANT = "asan"
RUN_SECONDS = 120.0
WATCH_SECONDS = 0.02
READ_BYTES = 1 << 16
CANARY_MIN_CHARACTERS = 8
# Core files are agent's own business: the sanitizer must not turn them off before it does.
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:disable_coredump=0",
              "UBSAN_OPTIONS": "print_stacktrace=1"}


def agent_binary(variant: Optional[str] = None) -> Path:
    """The binary of a variant; what the environment says where none is given."""
    if variant is None and os.environ.get("AGENT_BINARY"):
        return Path(os.environ["AGENT_BINARY"]).resolve()
    return ROOT / "build" / (variant or os.environ.get("AGENT_VARIANT", DEFAULT_VARIANT)) / "agent"


class Leak(AssertionError):
    """A canary was seen where no secret may be. The text names it, and does not have it."""


class Canaries:
    """Secrets of one test, by name."""

    def __init__(self) -> None:
        self._forms: Dict[str, Set[bytes]] = {}
        self._lock = threading.Lock()

    def new(self, name: str, prefix: str = "", characters: int = 24) -> str:
        """Make a secret that nothing else has, and register it."""
        return self.add(name, prefix + "canary" + secrets.token_hex(characters // 2))

    def add(self, name: str, value: str) -> str:
        """Register a secret that somebody else made; gives it back."""
        if len(value) < CANARY_MIN_CHARACTERS:
            raise ValueError(f"'{name}' is too short to be told from other text")
        with self._lock:
            self._forms[name] = _forms_of(value)
        return value

    def forms(self) -> Dict[bytes, str]:
        """Each form of each secret, with the secret's name."""
        with self._lock:
            return {form: name for name, forms in self._forms.items() for form in forms}

    def check(self, data: bytes, where: str) -> None:
        """Leak when one of them is in `data`."""
        with self._lock:
            for name, forms in self._forms.items():
                if any(form in data for form in forms):
                    raise Leak(f"the secret '{name}' is in {where}")


def _forms_of(value: str) -> Set[bytes]:
    raw = value.encode()
    forms = {raw, raw.hex().encode(), raw.hex().upper().encode(), quote(value, safe="").encode(),
             json.dumps(value)[1:-1].encode()}
    # Inside of a longer text base64 has three shapes; what the neighbours touch is left away.
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * shift + raw)
            first, last = (shift * 8 + 5) // 6, ((shift + len(raw)) * 8) // 6
            forms.add(text[first:last])
    return forms


class Result:
    """How a command ended, and what it wrote."""

    def __init__(self, argv: Sequence[str], code: int, stdout: bytes, stderr: bytes) -> None:
        self.argv, self.code = list(argv), code
        self.raw_stdout, self.raw_stderr = stdout, stderr
        self.stdout = stdout.decode(errors="replace")
        self.stderr = stderr.decode(errors="replace")

    def json(self) -> Any:
        """Stdout as the one JSON document that it must be."""
        try:
            return json.loads(self.stdout)
        except ValueError as problem:
            raise AssertionError(f"stdout is not one JSON document: {problem}\n{self}") from None

    def expect(self, code: int = 0) -> "Result":
        """AssertionError, with all that was written, unless it ended with `code`."""
        if self.code != code:
            raise AssertionError(f"exit {self.code}, not {code}\n{self}")
        return self

    def __str__(self) -> str:
        return (f"$ {shlex.join(self.argv)}\n[exit {self.code}]\n"
                f"--- stdout\n{self.stdout.rstrip()}\n--- stderr\n{self.stderr.rstrip()}")


def namespace_command() -> List[str]:
    """What makes the command behind it PID 1 of a namespace."""
    own = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *own, "--pid", "--fork", "--kill-child", "--mount-proc"]


class Running:
    """A command that was started; `wait` gives its Result. `below`: its first process waits for it, and it is
    that one's child."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path,
                 canaries: Optional[Canaries], prints_secrets: bool,
                 note: Callable[[Result], None], below: bool = False) -> None:
        self.argv = list(argv)
        self._below, self._pid, self._heard = below, 0, b""
        self._canaries, self._prints_secrets, self._note = canaries, prints_secrets, note
        self._process = subprocess.Popen(
            self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(env), cwd=str(cwd), start_new_session=True)
        self._key = register(self._process.kill)

    @property
    def pid(self) -> int:
        """The process id (agent's, and of what it becomes), seen from here."""
        while self._below and not self._pid and not self.ended():
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
            self._pid = int((children.split() or ["0"])[0])
            time.sleep(0 if self._pid else WATCH_SECONDS)
        return self._pid or self._process.pid

    def ended(self) -> bool:
        """Has it ended?"""
        return self._process.poll() is not None

    def has_spoken(self) -> bool:
        """Is there something on its stderr?"""
        assert self._process.stderr is not None
        waiting = bytearray(4)
        fcntl.ioctl(self._process.stderr.fileno(), termios.FIONREAD, waiting)
        return int.from_bytes(waiting, sys.byteorder) > 0

    def heard(self) -> str:
        """What its stderr has so far; the Result has it too."""
        assert self._process.stderr is not None
        while self.has_spoken():
            self._heard += os.read(self._process.stderr.fileno(), READ_BYTES)
        return self._heard.decode("utf-8", "replace")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        if not self.ended():
            os.kill(self.pid, number)

    def wait(self, seconds: float = RUN_SECONDS, text: bytes = b"") -> Result:
        """Wait for its end; a command that takes too long is killed and fails the test."""
        stop = threading.Event()
        seen: List[bytes] = []
        watcher = threading.Thread(target=_watch_arguments, args=(self.pid, stop, seen))
        watcher.start()
        try:
            out, err = self._process.communicate(text, seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            out, err = self._process.communicate()
            self._note(Result(self.argv, -9, out, err))
            raise AssertionError(f"not ended after {seconds:g} s: {shlex.join(self.argv)}") from None
        except BaseException:
            self._process.kill()
            raise
        finally:
            unregister(self._key)
            stop.set()
            watcher.join()
        result = Result(self.argv, self._process.returncode, out, self._heard + err)
        self._note(result)
        self._look_for_canaries(result, seen)
        return result

    def _look_for_canaries(self, result: Result, seen: List[bytes]) -> None:
        if self._canaries is None:
            return
        for arguments in seen + ["\0".join(self.argv).encode()]:
            self._canaries.check(arguments, "a command's arguments")
        self._canaries.check(result.raw_stderr, "stderr")
        if not self._prints_secrets:
            self._canaries.check(result.raw_stdout, "stdout")


def _content(path: str) -> bytes:
    """A file of /proc. Without pathlib and io, which would be three quarters of the work of a watcher."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = [os.read(descriptor, READ_BYTES)]
        while len(parts[-1]) == READ_BYTES:
            parts.append(os.read(descriptor, READ_BYTES))
        return b"".join(parts)
    finally:
        os.close(descriptor)


def _watch_arguments(root: int, stop: threading.Event, seen: List[bytes]) -> None:
    """Collect the command lines of the process and of all below it, until it ends."""
    known: Set[bytes] = set()
    while True:
        waiting = [root]
        while waiting:
            pid = waiting.pop()
            try:
                known.add(_content(f"/proc/{pid}/cmdline"))
                children = _content(f"/proc/{pid}/task/{pid}/children")
            except OSError:
                continue  # it has ended meanwhile
            waiting += [int(child) for child in children.split()]
        if stop.is_set():
            seen += sorted(known)
            return
        stop.wait(WATCH_SECONDS)


class Agent:
    """Runs the binary with an environment of its own. `home` is HOME and the working folder. `is_first`: `run`
    is PID 1 of a namespace."""

    def __init__(self, home: Path, canaries: Optional[Canaries] = None,
                 variant: Optional[str] = None,
                 note: Optional[Callable[[Result], None]] = None, is_first: bool = False) -> None:
        self.binary, self.home, self.canaries = agent_binary(variant), home, canaries
        self.before = namespace_command() if is_first else []
        self._note = note or (lambda _result: None)

    def start(self, *args: str, env: Optional[Mapping[str, str]] = None,
              cwd: Optional[Path] = None, prints_secrets: bool = False,
              canaries: bool = True) -> Running:
        """Start `agent ARGS` in the background."""
        before = self.before if args[:1] == ("run",) and "--probe" not in args else []
        return Running([*before, str(self.binary), *args],
                       plain_environment(self.home, {**SANITIZERS, **(env or {})}),
                       cwd or self.home, self.canaries if canaries else None, prints_secrets,
                       self._note, bool(before))

    def run(self, *args: str, env: Optional[Mapping[str, str]] = None, cwd: Optional[Path] = None,
            prints_secrets: bool = False, canaries: bool = True, text: bytes = b"",
            seconds: float = RUN_SECONDS) -> Result:
        """Run `agent ARGS` to its end. `prints_secrets`: stdout may have them (fetch)."""
        return self.start(*args, env=env, cwd=cwd, prints_secrets=prints_secrets,
                          canaries=canaries).wait(seconds, text)


def run_tool(argv: Sequence[str], env: Optional[Mapping[str, str]], cwd: Path,
             seconds: float = RUN_SECONDS, text: bytes = b"") -> Result:
    """Run another program (alembic, python) to its end, in a plain environment."""
    began = time.monotonic()
    try:
        done = subprocess.run(list(argv), input=text, capture_output=True, timeout=seconds,
                              cwd=str(cwd),
                              env=plain_environment(cwd, {**SANITIZERS, **(env or {})}))
    except subprocess.TimeoutExpired:
        raise AssertionError(f"not ended after {time.monotonic() - began:.0f} s: "
                             f"{shlex.join(argv)}") from None
    return Result(argv, done.returncode, done.stdout, done.stderr)
