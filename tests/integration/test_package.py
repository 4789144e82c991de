"""`make install`, `make uninstall`, `make dist`, `make deb`: what a packager and an administrator get; and make
itself, before there is anything else."""
from __future__ import annotations

import re
import shutil
import tarfile
from pathlib import Path

from tests.lib.case import Case, alone, lacks
from tests.lib.servers import ROOT

MAKE = ["make", "-C", str(ROOT), "--no-print-directory"]
INSTALLED = {"bin/agent", "share/man/man1/agent.1", "share/man/man5/agent-contract.5"}


def files_below(folder: Path) -> set[str]:
    """The files in a folder, by their paths from it."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_what_install_put_there_uninstall_takes_out(case: Case) -> None:
    root = case.folder.path / "root"
    where = [f"DESTDIR={root}", "PREFIX=/opt/agent"]
    case.tool(*MAKE, "install", *where).expect(0)
    assert files_below(root / "opt/agent") == INSTALLED
    case.tool(str(root / "opt/agent/bin/agent"), "version").expect(0)
    case.tool(*MAKE, "uninstall", *where).expect(0)
    assert files_below(root) == set()


def test_make_complains_of_nothing_where_there_is_no_compiler_yet(case: Case) -> None:
    # What `make test` is called with on a fresh machine, whose compiler it is yet to install.
    result = case.tool(*MAKE, "CC=no-such-compiler", f"O={case.folder.path}/objects", "help").expect(0)
    assert not result.stderr, result.stderr
    assert "make test" in result.stdout


@alone  # both write to dist/
def test_dist_packs_what_is_committed(case: Case) -> None:
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        case.skip("this tree is no clone")
    packed = ROOT / case.tool(*MAKE, "dist").expect(0).stdout.strip()
    names = tarfile.open(packed).getnames()
    folder = packed.name[:-len(".tar.gz")]
    assert not lacks("\n".join(names) + "\n", [f"{folder}/{name}\n" for name in (
        "Makefile", "README.md", "LICENSE", "agent/main.c", "docs/man/agent.1")])
    first = packed.read_bytes()
    case.tool(*MAKE, "dist").expect(0)
    assert packed.read_bytes() == first, "two runs, two archives"


@alone
def test_a_debian_package_names_what_is_opened_on_demand(case: Case) -> None:
    if not shutil.which("dpkg-shlibdeps"):
        case.skip("dpkg-dev is not here")
    package = ROOT / case.tool(*MAKE, "deb").expect(0).stdout.splitlines()[-1]
    fields = dict(re.findall(r"^([\w-]+): (.*)$", case.tool("dpkg-deb", "-f", str(package)).stdout,
                             flags=re.MULTILINE))
    assert not lacks(fields["Depends"], ["libjansson4", "libpcre2-8-0", "libsodium23"])
    assert not lacks(fields["Recommends"], ["libcurl4", "libpq5", "libpg-query"])
    root = case.folder.path / "unpacked"
    case.tool("dpkg-deb", "-x", str(package), str(root)).expect(0)
    assert (root / "usr/share/doc/agent/copyright").exists()
    assert (root / "usr/share/man/man1/agent.1.gz").exists()
    case.tool(str(root / "usr/bin/agent"), "version").expect(0)
