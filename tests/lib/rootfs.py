"""A root file system made with debootstrap, in place of an image, and programs as process 1 in it.

It is made once, below build/rootfs, and never written to: each use lays a folder over it. What is needed
for that (root, debootstrap, a mirror, namespaces, overlayfs) is not everywhere: then the test is skipped, and
says why.
"""
from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
from pathlib import Path
from typing import Callable, List, Mapping, Sequence

from tests.lib.agent import Result
from tests.lib.case import Case
from tests.lib.processes import ROOT

FOLDER = ROOT / "build" / "rootfs"
MAKE_SECONDS = 420
MIRRORS = {"debian": "http://deb.debian.org/debian", "ubuntu": "http://archive.ubuntu.com/ubuntu"}
# Process 1 of its own namespaces; `exec` all the way, so that the program is it.
ENTER = """\
set -e
mount -t overlay overlay -o lowerdir={lower},upperdir={upper},workdir={work} {merged}
mount -t proc proc {merged}/proc
{binds}
exec chroot --userspec={user} {merged} /usr/bin/env -C {folder} {argv}
"""


def release() -> Mapping[str, str]:
    """/etc/os-release."""
    lines = Path("/etc/os-release").read_text().splitlines()
    return {name: value.strip('"') for name, value in (line.split("=", 1) for line in lines if "=" in line)}


def named_here(case: Case, package: str) -> str:
    """A package by its name on this machine: since time has 64 bits, some libraries have t64 behind theirs."""
    later = package + "t64"
    return later if case.tool("dpkg-query", "--show", later).code == 0 else package


def base(case: Case, packages: Sequence[str]) -> Path:
    """This machine's distribution, as small as it gets, with `packages`."""
    if os.geteuid() != 0:
        case.skip("debootstrap and chroot want root")
    if shutil.which("debootstrap") is None:
        case.skip("there is no debootstrap")
    host = release()
    mirror, suite = MIRRORS.get(host.get("ID", "")), host.get("VERSION_CODENAME", "")
    if not mirror or not suite:
        case.skip(f"no mirror is known for {host.get('ID')} {suite}")
    what = ",".join(sorted(named_here(case, package) for package in packages))
    made = FOLDER / f"{suite}-{hashlib.sha256(what.encode()).hexdigest()[:12]}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.is_dir():
            make(case, ["debootstrap", "--variant=minbase", f"--include={what}", suite], str(mirror), made)
    return made


def make(case: Case, argv: List[str], mirror: str, made: Path) -> None:
    """Make it beside its place, and move it there when it is whole."""
    half = made.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    # timeout(1) ends what debootstrap started, too, and what it mounted goes with its namespace: a folder that was left
    # half made has none of this machine's /proc in it when it is removed.
    done = case.tool("unshare", "--mount", "--propagation=private", "timeout", str(MAKE_SECONDS), *argv, str(half), mirror,
                     seconds=2 * MAKE_SECONDS)
    if done.code != 0:
        shutil.rmtree(half, ignore_errors=True)
        case.skip(f"debootstrap ended with {done.code}: " + " ".join(done.stdout.splitlines()[-1:]))
    shutil.rmtree(half / "var" / "cache" / "apt", ignore_errors=True)
    half.rename(made)


class Rootfs:
    """One root, with what `fill` puts into it, and `folders` of this machine, read only, by their places there."""

    def __init__(self, case: Case, packages: Sequence[str], fill: Callable[[Path], None],
                 folders: Mapping[str, Path]) -> None:
        self.case, self.lower, self.folders = case, base(case, packages), folders
        self.place = case.folder.path / "rootfs"
        for name in ("upper", "work", "merged"):
            (self.place / name).mkdir(parents=True)
        (self.place / "upper").chmod(0o755)
        for name in folders:
            (self.place / "upper" / name.lstrip("/")).mkdir(parents=True)
        fill(self.place / "upper")

    def run(self, *argv: str, env: Mapping[str, str], user: str = "0:0", folder: str = "/") -> Result:
        """Run it there as process 1, to its end."""
        places = {name: shlex.quote(str(self.place / name)) for name in ("upper", "work", "merged")}
        binds = "\n".join(f"mount -o bind,ro {shlex.quote(str(there))} {places['merged']}{name}"
                          for name, there in self.folders.items())
        script = ENTER.format(binds=binds, lower=shlex.quote(str(self.lower)), user=user, folder=folder,
                              argv=shlex.join(argv), **places)
        done = self.case.tool("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script,
                              env={"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", **env})
        if done.stderr.startswith(("unshare:", "mount:")):
            self.case.skip("no namespaces or no overlayfs here: " + done.stderr.splitlines()[0])
        self.case.canaries.check(done.raw_stdout + done.raw_stderr, "what is written in the root")
        return done
