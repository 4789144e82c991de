"""Real containers, by a podman whose images, containers and mounts are all in a folder of the run's own.

Nothing is pulled: what a Dockerfile names as its base is made by debootstrap and imported under that name. What
a machine does not let us do (no root, no podman) is a reason to skip.
"""
from __future__ import annotations

import os
import resource
import shutil
import tarfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

from tests.lib.agent import Result, run_tool
from tests.lib.case import Case
from tests.lib.processes import Folder, Program, register, wait_until
from tests.lib.rootfs import base, release

PYTHON_IMAGE = "docker.io/library/python:3.11-slim-bookworm"
DISTROLESS_IMAGE = "gcr.io/distroless/python3-debian12:nonroot"
POSTGRES_IMAGE = "docker.io/library/postgres:15-bookworm"
BUILD_SECONDS = 1800.0
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# Where the machine's cgroups are of both versions, crun takes neither; without the second it takes the first. Mounts
# of the containers are in this namespace too, and gone with it.
HOLD = "umount /sys/fs/cgroup/unified 2>/dev/null; echo held; exec sleep infinity"
# As the official image's, in short: a fresh cluster, POSTGRES_DB, the scripts, the server.
POSTGRES_ENTRYPOINT = """\
#!/bin/sh
set -e
export PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/var/lib/postgresql/data
umask 077
printf '%s\\n' "$POSTGRES_PASSWORD" >/tmp/password
initdb -D "$PGDATA" -U postgres --pwfile=/tmp/password --auth=scram-sha-256 --auth-local=trust >/dev/null
pg_ctl -D "$PGDATA" -w -o '-c listen_addresses=' start >/dev/null
createdb -U postgres "$POSTGRES_DB"
for script in /docker-entrypoint-initdb.d/*.sql; do
    psql -q -v ON_ERROR_STOP=1 -U postgres -d "$POSTGRES_DB" -f "$script"
done
pg_ctl -D "$PGDATA" -w stop >/dev/null
exec postgres -c listen_addresses='*'
"""
POSTGRES_FILE = f"""\
FROM {PYTHON_IMAGE}
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-15 \\
    && mkdir -p /docker-entrypoint-initdb.d && chown postgres /var/lib/postgresql
COPY --chmod=755 entrypoint /entrypoint
USER postgres
ENTRYPOINT ["/entrypoint"]
"""


def configuration() -> str:
    """containers.conf: no limit that we may not raise, and no service of the machine's."""
    def at_most(which: int, wanted: int) -> int:
        hard = resource.getrlimit(which)[1]
        return wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)

    nofile, nproc = at_most(resource.RLIMIT_NOFILE, 2**16), at_most(resource.RLIMIT_NPROC, 2**13)
    return (f'[containers]\ndefault_ulimits = ["nofile={nofile}:{nofile}", "nproc={nproc}:{nproc}"]\n'
            'cgroupns = "host"\nlog_driver = "k8s-file"\n'
            '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "crun"\n'
            '[network]\nnetwork_backend = "netavark"\n')


class Podman:
    """The podman of a run: `of(case)`."""

    def __init__(self, case: Case) -> None:
        self.folder = Folder("agent-podman-")
        self.configuration = self.folder.write("containers.conf", configuration())
        self._holder = Program(["unshare", "--mount", "--propagation", "private", "sh", "-c", HOLD],
                               self.folder / "holder.log")
        wait_until(lambda: "held" in self._holder.output(), "a mount namespace", self._holder)
        register(self._remove)
        # For who calls podman by its name.
        self.program = self.folder.write("bin/podman", "#!/bin/sh\nexec " + " ".join(self._argv()) + ' "$@"\n', 0o755)
        root = base(case, ["python3", "python3-pip", "ca-certificates"])
        self._import(root, PYTHON_IMAGE, lambda name: not name.endswith("/EXTERNALLY-MANAGED"))
        self._import(root, DISTROLESS_IMAGE, is_distroless)

    def _argv(self) -> List[str]:
        return ["env", f"CONTAINERS_CONF={self.configuration}", "nsenter", "--mount", f"--target={self._holder.pid}",
                '--wd="$PWD"', "/usr/bin/podman", f"--root={self.folder / 'store'}", f"--runroot={self.folder / 'run'}",
                f"--tmpdir={self.folder / 'tmp'}"]

    def _remove(self) -> None:
        try:
            self.run("rm", "--force", "--all", "--time", "0", seconds=120)
        finally:
            self._holder.stop()
            self.folder.remove()

    def run(self, *argv: str, cwd: Optional[Path] = None, seconds: float = 300.0) -> Result:
        """`podman ARGV`."""
        return run_tool([str(self.program), *argv], {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, cwd or self.folder.path,
                        seconds)

    def build(self, context: Path, *options: str) -> None:
        """Build an image with this machine's network and certificates."""
        self.run("build", "--network=host", f"--volume={CERTIFICATES}:{CERTIFICATES}:ro", *options, str(context),
                 seconds=BUILD_SECONDS).expect(0)

    def postgres(self) -> None:
        """Make what stands in for the official image of PostgreSQL."""
        self.folder.write("postgres/entrypoint", POSTGRES_ENTRYPOINT)
        self.folder.write("postgres/Dockerfile", POSTGRES_FILE)
        self.build(self.folder / "postgres", f"--tag={POSTGRES_IMAGE}")

    def _import(self, root: Path, name: str, wanted: Callable[[str], bool]) -> None:
        """An image of those files of a root whose names are wanted."""
        archive = self.folder / "root.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(str(root), ".", filter=lambda entry: entry if wanted(entry.name[1:]) else None)
        self.run("import", str(archive), name, seconds=BUILD_SECONDS).expect(0)
        archive.unlink()

    def container(self, case: Case, image: str, *argv: str, env: Dict[str, str],
                  options: Sequence[str] = ()) -> "Container":
        """Start one in this machine's network; its variables are not on a command line."""
        listed = case.folder.write(f"variables-{os.urandom(4).hex()}",
                                   "".join(f"{name}={value}\n" for name, value in env.items()), 0o600)
        done = self.run("run", "--detach", "--network=host", f"--env-file={listed}", *options, image, *argv).expect(0)
        return Container(self, case, done.stdout.strip())


class Container:
    """One that was started; it is removed after the test."""

    def __init__(self, podman: Podman, case: Case, name: str) -> None:
        self._podman, self._case, self.name = podman, case, name
        case.defer(lambda: podman.run("rm", "--force", "--time", "0", "--volumes", name).expect(0))

    def log(self) -> str:
        """What it has said; no secret is in it."""
        done = self._podman.run("logs", self.name).expect(0)
        self._case.canaries.check(done.raw_stdout + done.raw_stderr, "a container's log")
        self._case.say(str(done))
        return done.stdout + done.stderr

    def waits_for(self, text: str) -> None:
        """Wait until it has said that."""
        wait_until(lambda: text in self.log() or not self._runs(), f"'{text}'")
        assert text in self.log(), self.log()

    def _runs(self) -> bool:
        return self.inspect("{{.State.Running}}") == "true"

    def inspect(self, template: str) -> str:
        """A property."""
        return self._podman.run("inspect", "--format", template, self.name).expect(0).stdout.strip()

    def inside(self, *argv: str) -> Result:
        """Run a program beside it."""
        return self._podman.run("exec", self.name, *argv)

    def kill(self, signal: str) -> None:
        """Send process 1 a signal."""
        self._podman.run("kill", f"--signal={signal}", self.name).expect(0)

    def stop(self, seconds: int = 30) -> None:
        """TERM, and KILL after that time."""
        self._podman.run("stop", f"--time={seconds}", self.name).expect(0)

    def wait(self) -> int:
        """Wait for its end: its exit code."""
        return int(self._podman.run("wait", self.name).expect(0).stdout)


def is_distroless(name: str) -> bool:
    """Whether a file of the root is in an image without a shell and a package manager."""
    if name.startswith(("/usr/bin/", "/usr/sbin/")):
        return name in ("/usr/bin/python3", "/usr/bin/python3.11")
    return not name.startswith(("/var/lib/dpkg", "/var/lib/apt", "/var/cache", "/etc/apt", "/usr/share/doc",
                                "/usr/share/man", "/usr/share/perl", "/usr/lib/python3/dist-packages"))


def of(case: Case) -> Podman:
    """The run's podman."""
    if os.geteuid() != 0:
        case.skip("podman is tried as root")
    for program in ("podman", "crun", "nsenter"):
        if shutil.which(program) is None:
            case.skip(f"there is no {program}")
    if release().get("VERSION_CODENAME") != "bookworm":
        case.skip("what stands in for the images is made of Debian bookworm")
    podman: Any = case.once("podman", lambda: Podman(case))
    assert isinstance(podman, Podman)
    return podman
