"""The units of examples/entrypoint, unchanged, under a systemd that was booted for them."""
from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Dict

from tests.integration.test_examples_entrypoint import ENTRYPOINT, Staging, packages_of, stages, unit
from tests.integration.test_examples_rootfs import VENV_PACKAGES
from tests.lib.case import ACME, Case
from tests.lib.nspawn import Systemd
from tests.lib.processes import wait_until

VARIANT = "release"  # the sanitizers' libraries are in no root
PYTHON = ".".join(map(str, sys.version_info[:2]))
# It ends when /run/go is there, so that what is in between can be looked at.
APPLICATION = """\
import os, signal, sys, time

def end(*_):
    print("asked to end", flush=True)
    while not os.path.exists("/run/go"):
        time.sleep(0.02)
    sys.exit(0)

signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGHUP, lambda *_: print("asked to reload", flush=True))
others = [name for name in os.environ if name.startswith(("VAULT_ROLE", "VAULT_SECRET", "VAULT_TOKEN", "NOTIFY_"))]
print("started with", len(os.environ["CLERK_SECRET_KEY"]), *others, flush=True)
while True:
    signal.pause()
"""
# It does nothing about TERM, which ends it.
REPORTS = """\
#!/usr/bin/python3
import os, signal
import psycopg
with psycopg.connect("") as connection:
    print("logged in as", connection.execute("SELECT session_user").fetchone()[0], "PGPASSWORD" in os.environ, flush=True)
signal.pause()
"""


def boot(case: Case, places: Dict[str, Path]) -> Systemd:
    """A root with agent, the units, and what an application in Python needs."""
    units = {f"/etc/systemd/system/{path.name}": path for path in ENTRYPOINT.glob("*.service")}
    site = VENV_PACKAGES / f"python{PYTHON}" / "site-packages"
    return Systemd(case, [*packages_of(stages()["base"]), "python3"], {
        "/usr/bin/agent": case.make_agent().binary, f"/usr/local/lib/python{PYTHON}/dist-packages": site,
        **units, **places})


def override(systemd: Systemd, name: str, **environment: str) -> None:
    """What is another one here: a drop-in, as an administrator would lay one beside the unit."""
    lines = "".join(f"Environment={key}={value}\n" for key, value in environment.items())
    systemd.write(f"/etc/systemd/system/{name}.d/here.conf", f"[Service]\n{lines}")
    systemd.run("systemctl", "daemon-reload").expect(0)


def project(case: Case, refresh: bool) -> Path:
    """The example's project with an application that stays; its values are looked at again where that is asked."""
    copy = case.folder / "acme"
    shutil.copytree(ACME, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "app" / "main.py").write_text(APPLICATION)
    contract = copy / "contract.json"
    text = contract.read_text()
    assert text.count('"strict_profiles"') == 1
    if refresh:
        text = text.replace('"strict_profiles"', '"run": {"refresh": "200ms", "splay": "0s"},\n  "strict_profiles"')
    contract.write_text(text)
    return copy


def roles_lent(staging: Staging) -> str:
    """How many logins Vault has made that are there."""
    return staging.postgres.value("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-%'")


def test_the_unit_is_started_restarted_for_a_value_and_stopped(case: Case) -> None:
    staging, name = Staging(case), "acme-api.service"
    systemd = boot(case, {"/opt/acme": project(case, True), "/opt/vault-ca.pem": Path(staging.address["VAULT_CACERT"])})
    pairs = "".join(f"{key}={value}\n" for key, value in staging.secrets.items())
    systemd.write("/etc/acme/approle.env", pairs, 0o600)
    override(systemd, name, VAULT_ADDR=staging.address["VAULT_ADDR"], VAULT_CACERT="/opt/vault-ca.pem")

    systemd.run("systemctl", "start", name).expect(0)  # and waits until it is ready: the database is made
    assert staging.postgres.value("SELECT count(*) FROM alembic_version", "acme") == "1"
    first = systemd.show(name, "MainPID", "ActiveState", "StatusText")
    assert first["ActiveState"] == "active" and first["StatusText"].startswith("The application runs"), first
    assert systemd.run("cat", f"/proc/{first['MainPID']}/comm").stdout == "agent\n"
    wait_until(lambda: "started with" in systemd.journal(name), "its first line")
    assert re.search(r"^started with \d+$", systemd.journal(name), re.M), systemd.journal(name)
    assert "could not be locked" not in systemd.journal(name), "LimitMEMLOCK is enough"

    systemd.run("systemctl", "kill", "--kill-who=main", "--signal=HUP", name).expect(0)
    wait_until(lambda: "asked to reload" in systemd.journal(name), "the HUP")
    assert systemd.show(name, "ActiveState")["ActiveState"] == "active"

    staging.put(CLERK_SECRET_KEY=case.canaries.new("clerk anew", prefix="sk_test_"))
    systemd.becomes(name, ActiveState="reloading", StatusText="The application is stopped, and started anew.")
    systemd.write("/run/go", "")
    systemd.becomes(name, ActiveState="active")
    again = systemd.show(name, "MainPID", "StatusText", "NRestarts")
    assert again["MainPID"] == first["MainPID"] and again["NRestarts"] == "0"
    assert again["StatusText"] != first["StatusText"], "another process"

    systemd.run("rm", "/run/go").expect(0)
    wait_until(lambda: systemd.journal(name).count("started with") == 2, "its second start")
    systemd.run("systemctl", "stop", "--no-block", name).expect(0)
    systemd.becomes(name, ActiveState="deactivating", StatusText="The application is stopped.")
    systemd.write("/run/go", "")
    systemd.becomes(name, ActiveState="inactive", Result="success", ExecMainStatus="0")
    assert systemd.journal(name).count("asked to end") == 2
    assert roles_lent(staging) == "0", "the lease is given back"


def test_a_start_that_fails_says_why_and_is_tried_again(case: Case) -> None:
    staging, name = Staging(case), "acme-api.service"
    systemd = boot(case, {"/opt/acme": project(case, False), "/opt/vault-ca.pem": Path(staging.address["VAULT_CACERT"])})
    systemd.write("/etc/acme/approle.env", "VAULT_ROLE_ID=nobody\nVAULT_SECRET_ID=nothing\n", 0o600)
    override(systemd, name, VAULT_ADDR=staging.address["VAULT_ADDR"], VAULT_CACERT="/opt/vault-ca.pem")
    assert systemd.run("systemctl", "start", name).code != 0
    said = systemd.show(name, "ActiveState", "ExecMainStatus")
    assert said == {"ActiveState": "activating", "ExecMainStatus": "125"}, said
    assert re.search("error .*approle.*login", systemd.journal(name)), systemd.journal(name)
    systemd.run("systemctl", "stop", name).expect(0)


def test_the_unit_with_a_credential_runs_and_is_started_again_when_it_hangs(case: Case) -> None:
    name, bao = "acme-reports.service", case.openbao_of_its_own(tls=True)
    (place,) = unit(name)["LoadCredential"]
    database, mount = case.database(), "database"
    bao.database_engine(case.postgres, database.name, role="acme", mount=mount, ttl="20m")
    case.defer(lambda: bao.request("PUT", f"sys/leases/revoke-prefix/{mount}"))
    role = bao.approle([bao.policy({f"{mount}/creds/acme": ["read"]})], mount="approle")
    bao.write(f"auth/approle/role/{role.name}/role-id", {"role_id": "acme-api"})  # as the contract has it
    program = case.folder.write("reports", REPORTS, 0o755)
    assert bao.ca_cert
    systemd = boot(case, {"/opt/acme/bin/reports": program, "/opt/vault-ca.pem": bao.ca_cert,
                          "/etc/acme/passfile.contract.json": ENTRYPOINT / "passfile.contract.json"})
    systemd.write(place.split(":")[1], case.canaries.add("the secret id", role.secret_id) + "\n", 0o600)
    override(systemd, name, VAULT_ADDR=bao.address, VAULT_CACERT="/opt/vault-ca.pem", DB_HOST="127.0.0.1",
             DB_PORT=str(case.postgres.port), DB_NAME=database.name)
    # The unit's minute, in short.
    systemd.write(f"/etc/systemd/system/{name}.d/soon.conf", "[Service]\nWatchdogSec=2s\nRestartSec=100ms\n")
    systemd.run("systemctl", "daemon-reload").expect(0)
    systemd.run("systemctl", "start", name).expect(0)
    wait_until(lambda: "logged in as v-" in systemd.journal(name), "its login")
    assert "logged in as" in systemd.journal(name) and " True" not in systemd.journal(name)
    assert systemd.run("stat", "-c", "%a %n", "/run/acme/pgpass").expect(0).stdout.startswith("400 ")
    environment = {"AGENT_CONTRACT": "/etc/acme/passfile.contract.json"}
    probe = ["env", *(f"{key}={value}" for key, value in environment.items()), "agent", "run", "--probe", "/ready"]
    assert systemd.run(*probe).expect(0).stdout == "ready\n"

    first = systemd.show(name, "MainPID")["MainPID"]
    systemd.run("systemctl", "kill", "--kill-who=main", "--signal=STOP", name).expect(0)
    systemd.becomes(name, NRestarts="1", ActiveState="active")
    assert systemd.show(name, "MainPID")["MainPID"] != first
    assert "Watchdog timeout" in systemd.journal(name)
    systemd.run("systemctl", "stop", name).expect(0)
    # TERM ended it, which agent tells as 143.
    assert systemd.show(name, "Result", "ActiveState") == {"Result": "success", "ActiveState": "inactive"}
    assert "Deactivated successfully" in systemd.journal(name)
    assert systemd.run("test", "-e", "/run/acme").code != 0, "the files with the login are gone"


def test_what_is_said_of_the_units_safety_is_so(case: Case) -> None:
    systemd = boot(case, {})
    for path in ENTRYPOINT.glob("*.service"):
        said = systemd.run("systemd-analyze", "security", "--no-pager", path.name).expect(0).stdout
        found = re.search(r"Overall exposure level for \S+: ([\d.]+) ", said)
        assert found and float(found.group(1)) <= 2.0, said
