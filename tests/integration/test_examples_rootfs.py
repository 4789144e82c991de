"""examples/entrypoint in a root file system of the image's own packages: agent is process 1, as the image's user."""
from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from tests.integration.test_examples_entrypoint import (Staging, argv_of, container_environment,
                                                        kubernetes, packages_of, stages)
from tests.lib.case import ACME, Case
from tests.lib.processes import ROOT
from tests.lib.rootfs import Rootfs

VARIANT = "release"  # the sanitizers' libraries are in no image
VENV_PACKAGES = ROOT / "build" / "venv" / "lib"
# Each says which process it is: what agent became would be process 1 itself.
TRAP = "trap 'echo $$ asked; exit 9' TERM; kill -TERM 1; while :; do sleep 1; done"
ORPHANS = """\
cd /tmp; for i in 1 2 3 4 5 6 7 8; do (sh -c 'echo >>ended' & sleep 600 &); done
until [ "$(wc -l <ended)" = 8 ]; do :; done
while grep -qs ' Z 1 ' /proc/[0-9]*/stat; do :; done
echo $$ reaped; exit 7
"""


def image(case: Case, project: bool) -> Rootfs:
    """What the Dockerfile's target `app` is, made without Docker: the packages of its base, agent, and the
    project with its Python packages."""
    def fill(root: Path) -> None:
        (root / "usr" / "bin").mkdir(parents=True)
        shutil.copy(case.make_agent().binary, root / "usr" / "bin" / "agent")
        if project:
            shutil.copytree(ACME, root / "app", ignore=shutil.ignore_patterns("__pycache__"))

    stage = stages()["base"]
    python = ".".join(map(str, sys.version_info[:2]))
    # python:3.11-slim-bookworm is Debian bookworm with a Python of that version.
    packages = {f"/usr/local/lib/python{python}/dist-packages": VENV_PACKAGES / f"python{python}" / "site-packages"}
    made = Rootfs(case, [*packages_of(stage), "python3"], fill, packages if project else {})
    if project and not (made.lower / "usr" / "bin" / f"python{python}").exists():
        case.skip(f"the Python packages are for {python}, and the root has another Python")
    return made


def test_the_image_makes_its_database_and_starts_as_process_1(case: Case) -> None:
    root, staging, stage = image(case, True), Staging(case), stages()["app"]
    (user,) = [rest for word, rest in stage.lines if word == "USER"]
    env = staging.environment(container_environment(kubernetes()["Deployment"]))
    shutil.copy(env["VAULT_CACERT"], root.place / "upper" / "app" / "vault-ca.pem")
    env["VAULT_CACERT"] = "/app/vault-ca.pem"
    argv = argv_of(stage, "ENTRYPOINT") + argv_of(stage, "CMD")
    done = root.run(*argv, env=env, user=user, folder="/app").expect(0)
    process = re.match(r"acme-api, process (\d+), environment staging\n", done.stdout)
    assert process and int(process.group(1)) > 1, "a lease is held: process 1 is agent"
    assert "missing" not in done.stdout and "not for an application" not in done.stdout, done
    owned = "SELECT count(*) FROM pg_tables WHERE tableowner = 'acme_owner' AND tablename = 'alembic_version'"
    assert staging.postgres.value(owned, "acme") == "1"
    # The lease is given back with the token that made it.
    assert staging.postgres.value("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-%'") == "0"


def test_process_1_hands_a_signal_on_and_leaves_nothing_behind(case: Case) -> None:
    root = image(case, False)
    start = ["agent", "run", "--", "sh", "-c"]
    stopped = root.run(*start, TRAP, env={}, user="65532:65532").expect(9)
    assert re.fullmatch(r"(?!1 )\d+ asked\n", stopped.stdout), stopped
    # What sleeps for ten minutes would hold the pipes that are read here to their end.
    left = root.run(*start, ORPHANS, env={}, user="65532:65532").expect(7)
    assert re.fullmatch(r"(?!1 )\d+ reaped\n", left.stdout), left
