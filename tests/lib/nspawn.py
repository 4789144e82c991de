"""A systemd of its own: a root that debootstrap made, booted by systemd-nspawn. Nothing of this machine's units
is touched; the network is this machine's, so that the servers of the test are there."""
from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Dict, List, Mapping

from tests.lib.agent import Result
from tests.lib.case import Case
from tests.lib.processes import Program, wait_until
from tests.lib.rootfs import base

# What a root needs to be booted; what is started in it is the caller's.
PACKAGES = ["systemd", "systemd-sysv", "dbus"]
BOOT_SECONDS = 120.0
UP = ("running", "degraded")  # degraded: units of the distribution that a container can't have


class Systemd:
    """One booted root: `packages` beside PACKAGES, and `places` of this machine, read only, by their places there.
    What is written in it goes with it."""

    def __init__(self, case: Case, packages: List[str], places: Mapping[str, Path]) -> None:
        if os.geteuid() != 0:
            case.skip("systemd-nspawn wants root")
        if shutil.which("systemd-nspawn") is None:
            case.skip("there is no systemd-nspawn (Debian's package systemd-container)")
        self._case = case
        self._log = case.folder / "boot.log"
        root = base(case, [*PACKAGES, *packages])
        argv = ["systemd-nspawn", "--boot", "--register=no", "--keep-unit", "--volatile=overlay", "--console=pipe",
                # It refuses mlock to who may not lock without a limit, which a machine's own systemd does not.
                "--system-call-filter=@memlock",
                f"--machine=agent-live-{os.getpid()}", f"--directory={root}"]
        argv += [f"--bind-ro={here}:{there}" for there, here in places.items()]
        self._program = Program(argv, self._log)
        case.defer(self._program.stop)
        wait_until(self._is_up, "systemd's boot", self._program, BOOT_SECONDS)

    def _leader(self) -> str:
        """Process 1 of the root, by its number here; "" before there is one."""
        try:
            return Path(f"/proc/{self._program.pid}/task/{self._program.pid}/children").read_text().split()[0]
        except (OSError, IndexError):
            return ""

    def _is_up(self) -> bool:
        leader = self._leader()
        return bool(leader) and self.run("systemctl", "is-system-running").stdout.strip() in UP

    def run(self, *argv: str, seconds: float = 120.0, text: bytes = b"") -> Result:
        """Run it in the root, to its end."""
        return self._case.tool("nsenter", "--all", f"--target={self._leader()}", "--wd=/", "--", *argv,
                               env={"PATH": "/usr/bin:/usr/sbin"}, seconds=seconds, text=text)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file in the root, of root's."""
        script = 'install -d -m 755 "${1%/*}" && install -m "$2" /dev/stdin "$1"'
        self.run("sh", "-c", script, "sh", path, f"{mode:o}", text=text.encode()).expect(0)

    def show(self, unit: str, *names: str) -> Dict[str, str]:
        """Properties of a unit."""
        said = self.run("systemctl", "show", unit, *(f"--property={name}" for name in names)).expect(0).stdout
        return dict(line.split("=", 1) for line in said.splitlines())

    def becomes(self, unit: str, **wanted: str) -> None:
        """Wait until its properties are these."""
        wait_until(lambda: self.show(unit, *wanted) == wanted, f"{unit}: {wanted}", self._program)

    def journal(self, unit: str) -> str:
        """What was said in a unit's name; no secret is in it."""
        done = self.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}").expect(0)
        self._case.canaries.check(done.raw_stdout, f"the journal of {unit}")
        return done.stdout
