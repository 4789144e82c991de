"""`make bundle`: agent in a root that has nothing else: no loader, no library, no shell."""
from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from tests.lib.case import Case, alone
from tests.lib.servers import ROOT

MAKE = ["make", "-C", str(ROOT), "--no-print-directory"]
APP = """\
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    const char *token = getenv("API_TOKEN"), *url = getenv("DATABASE_URL");
    return printf("%s %d\\n", token ? token : "none", url != NULL) < 0;
}
"""


def empty_root(case: Case) -> Path:
    """A root with the bundle, a static program and /tmp."""
    archive = case.once("bundle", lambda: ROOT / case.tool(
        *MAKE, "bundle", "VARIANT=release").expect(0).stdout.splitlines()[-1])
    root = case.folder.path / "root"
    with tarfile.open(archive) as packed:
        packed.extractall(root)
    (root / "tmp").mkdir()
    source = case.folder.write("app.c", APP)
    case.tool("gcc", "-O2", "-static", "-o", str(root / "app"), str(source)).expect(0)
    assert sorted(path.name for path in root.iterdir()) == ["app", "opt", "tmp"]
    return root


@alone  # it builds in the tree
def test_a_root_without_libraries_fetches_makes_and_starts(case: Case) -> None:
    if os.geteuid() != 0 or not shutil.which("chroot"):
        case.skip("chroot wants root")
    root, bao, database = empty_root(case), case.openbao_tls, case.database()
    token = case.canaries.new("token")
    bao.put("secret/bundle", {"token": token, "url": database.url()})
    shutil.copy(str(bao.ca_cert), root / "tmp" / "ca.pem")
    (root / "tmp" / "schema.sql").write_text("CREATE TABLE things (id int);\n")
    (root / "tmp" / "contract.json").write_text("""{"contract": 1, "vars": {
        "API_TOKEN": {"type": "string", "secret": true, "source": "vault:secret/bundle#token"},
        "DATABASE_URL": {"type": "postgres-url", "secret": true, "source": "vault:secret/bundle#url"}},
        "database": {"url": "DATABASE_URL", "create": {"sql": ["schema.sql"]}, "expect": ["things"],
                     "stamp": {"style": "plain", "revision": "1"}}}""")
    env = {"VAULT_ADDR": bao.address, "VAULT_TOKEN": bao.token, "VAULT_CACERT": "/tmp/ca.pem"}
    # libcurl and libpq with all that they need, and the parser of PostgreSQL, are opened there.
    done = case.tool("chroot", str(root), "/opt/agent/agent", "run", "--bootstrap", "--contract",
                     "/tmp/contract.json", "--", "/app", env=env).expect(0)
    assert done.stdout == f"{token} 1\n", done
    assert "public.things" in database.tables(), database.tables()


@alone
def test_the_bundle_has_the_licences_of_what_is_in_it(case: Case) -> None:
    root = empty_root(case) / "opt" / "agent"
    assert (root / "licences" / "agent").read_text() == (ROOT / "LICENSE").read_text()
    names = {path.name for path in (root / "licences").iterdir()}
    # Where time has 64 bits, as on Debian 13 and Ubuntu 24.04, some packages are called t64.
    assert {"libc6", "libcurl4", "libpq5", "libssl3"} <= {name.removesuffix("t64") for name in names}, names
    libraries = {path.name for path in (root / "lib").iterdir()}
    assert {"libc.so.6", "libcurl.so.4", "libpq.so.5"} <= libraries, libraries
    assert any(name.startswith("libpg_query.so") for name in libraries), libraries
