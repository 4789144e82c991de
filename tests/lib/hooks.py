"""Drives a hook of a rotation by its protocol, as agent does: JSON in, JSON out, an exit code.

What must hold for every call is looked at in each: stdout is one JSON object, no secret is in stderr or in
`message`; where the hook is `watched`, nor in the arguments or the environment of what it starts.
"""
from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence

from tests.lib.case import Case
from tests.lib.processes import ROOT, Folder, register, unregister

HOOKS = ROOT / "examples" / "hooks"
HOOK_SECONDS = 60.0
ATTEMPTS_MAX = 3
DONE, FAILED, DONE_BEFORE, LATER, NO_SUCH_STEP = 0, 1, 10, 20, 78
PROGRAMS = ("curl", "jq", "psql")  # what hooks start: each is watched
PUBLIC = "user"  # the one field that is no secret
# Writes its arguments and its environment where the test reads them, then becomes the program.
WATCHER = """#!/bin/sh
for word in "$@"; do printf '%s\\0' "$word"; done >>'{notes}'
cat /proc/self/environ >>'{notes}'
exec '{program}' "$@"
"""


class Outcome:
    """How a call ended."""

    def __init__(self, step: str, code: int, stdout: bytes, stderr: bytes) -> None:
        self.step, self.code = step, code
        self.stdout, self.stderr = stdout.decode(), stderr.decode()
        self.said: Dict[str, Any] = json.loads(self.stdout) if self.stdout else {}
        self.message: str = self.said.get("message", "")
        self.secret: Dict[str, str] = self.said.get("secret", {})

    def expect(self, code: int = DONE) -> "Outcome":
        """AssertionError unless it ended with `code`."""
        assert self.code == code, f"exit {self.code}, not {code}: {self}"
        return self

    def __str__(self) -> str:
        return f"{self.step}: {self.message!r} stderr {self.stderr!r}"


class Hook:
    """One hook with one contract's `config`. `env`: what `rotate.env` hands to it."""

    def __init__(self, case: Case, argv: Sequence[str], name: str, config: Mapping[str, Any],
                 env: Optional[Mapping[str, str]] = None) -> None:
        self.watched = False  # whether the programs that it starts are: that is dear
        self.case, self.argv, self.name, self.config = case, list(argv), name, dict(config)
        self.profile = "prod"
        self._notes = case.folder / "notes"
        self._watchers = self._make_watchers()
        self._env = {"HOME": "/", "LANG": "C.UTF-8", "TMPDIR": str(self._empty_folder()),
                     **(env or {})}
        self._handed = dict(env or {})
        self.process: Optional["subprocess.Popen[bytes]"] = None

    def _make_watchers(self) -> Path:
        folder = self.case.folder / "watched"
        folder.mkdir(exist_ok=True)
        for name in PROGRAMS:
            for place in ("/usr/local/bin", "/usr/bin", "/bin"):
                if os.access(f"{place}/{name}", os.X_OK):
                    (folder / name).write_text(WATCHER.format(notes=self._notes,
                                                              program=f"{place}/{name}"))
                    (folder / name).chmod(0o755)
                    break
        return folder

    def _empty_folder(self) -> Path:
        folder = self.case.folder / "tmp"
        folder.mkdir(exist_ok=True)
        return folder

    def call(self, step: str, rotation: str, current: Optional[Mapping[str, str]] = None,
             pending: Optional[Mapping[str, str]] = None, attempt: int = 1) -> Outcome:
        """Run one step to its end. A hook that was killed ends with a negative code."""
        self._notes.write_bytes(b"")
        given = {"version": 1, "name": self.name, "step": step, "id": rotation,
                 "profile": self.profile, "attempt": attempt, "current": dict(current or {}),
                 "pending": dict(pending or {}), "config": self.config}
        path = "/usr/local/bin:/usr/bin:/bin"
        if self.watched:
            path = f"{self._watchers}:{path}"
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env={**self._env, "PATH": path},
                                        cwd="/", start_new_session=True)
        key = register(self.process.kill)
        try:
            out, err = self.process.communicate(json.dumps(given).encode(), HOOK_SECONDS)
        finally:
            unregister(key)
        ended = Outcome(step, self.process.returncode, out, err)
        self.case.say(str(ended))
        for field, value in {**(current or {}), **(pending or {}), **ended.secret}.items():
            if field != PUBLIC:
                self.case.canaries.add(f"'{field}' of '{step}'", value)
        self._look(ended)
        return ended

    def seen(self) -> bytes:
        """The arguments and environments of what the last call started."""
        return self._notes.read_bytes()

    def handed(self) -> Dict[str, str]:
        """What `rotate.env` hands to it."""
        return dict(self._handed)

    def hand(self, env: Mapping[str, str]) -> None:
        """Hand this to it, and no more what was handed before."""
        for name in self._handed:
            del self._env[name]
        self._handed = dict(env)
        self._env.update(env)

    def kill(self) -> None:
        """SIGKILL to the hook and what it has started, as agent does when the time is over."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)

    def _look(self, ended: Outcome) -> None:
        check = self.case.canaries.check
        check(ended.stderr.encode(), "a hook's stderr")
        check(ended.message.encode(), "a hook's message")
        seen = self.seen()
        for value in self._handed.values():  # agent handed it on because the contract says so
            seen = seen.replace(b"=" + value.encode() + b"\0", b"=\0")
        check(seen, "the arguments or the environment of what a hook started")
        assert ended.code < 0 or ended.said, f"a hook says one JSON object: {ended}"
        left = list(self._empty_folder().iterdir())
        if ended.code < 0:  # killed: what it leaves has no secret
            for file in [file for folder in left for file in folder.iterdir()]:
                check(file.read_bytes(), "a file that a killed hook left")
            for folder in left:
                shutil.rmtree(folder)
        assert ended.code < 0 or not left, "a hook left a file"


def build_resend() -> Path:
    """The hook in C, with the warnings of this tree as errors; in a folder that goes with the run."""
    probed = max((ROOT / "build").glob("probed-*.mk"))  # gcc's, where there are several
    warnings = re.search(r"^WARNINGS :=(.*)$", probed.read_text(), re.M)
    assert warnings, probed
    libraries = subprocess.run(["pkg-config", "--cflags", "--libs", "libcurl", "jansson"],
                               check=True, capture_output=True, text=True).stdout.split()
    binary = Folder("agent-hook-") / "resend"
    subprocess.run([probed.stem.partition("-")[2], "-std=c17", "-D_GNU_SOURCE",
                    *warnings.group(1).split(), "-Werror", "-O1", "-g",
                    "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined",
                    str(HOOKS / "resend.c"), "-o", str(binary), *libraries], check=True)
    return binary


STEPS = ("create", "set", "test", "promote", "retire")
# Who gets the current secret, and who the pending one.
GET_CURRENT, GET_PENDING = ("create", "set", "retire"), ("set", "test", "retire")


def rotate(hook: Hook, rotation: str, current: Mapping[str, str],
           steps: Sequence[str] = STEPS) -> Dict[str, str]:
    """The steps in agent's order, each again where it was killed; gives the new secret."""
    pending = dict(current)
    for step in steps:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            ended = hook.call(step, rotation, current if step in GET_CURRENT else None,
                              pending if step in GET_PENDING else None, attempt)
            if ended.code not in (-signal.SIGKILL, LATER):
                break
        allowed = (DONE,) if step in ("create", "test") else (DONE, DONE_BEFORE, NO_SUCH_STEP)
        assert ended.code in allowed, f"exit {ended.code}: {ended}"
        pending.update(ended.secret)
    return pending
