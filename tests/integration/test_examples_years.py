"""examples/entrypoint over time and in numbers: fifty replicas at once, and what is given its login in files."""
from __future__ import annotations

import json
import re
import shlex
import signal
import sys
from typing import Any, Dict, List

from tests.integration.test_examples_entrypoint import (ENTRYPOINT, START_SECONDS, Staging, container_environment,
                                                        container_of, kubernetes, unit)
from tests.integration.test_status import Manager
from tests.integration.test_ways_in import Reviewer, Signer
from tests.lib.agent import Running
from tests.lib.case import ACME, Case, alone
from tests.lib.openbao import OpenBao
from tests.lib.processes import wait_until

VARIANT = "release"  # fifty at once: the sanitizers would need the machine for minutes
CREDS = "database/creds/acme"
REPORTS = """\
import os, signal, sys
import psycopg
with psycopg.connect("") as connection:
    print(connection.execute("SELECT session_user").fetchone()[0], "PGPASSWORD" in os.environ, flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
open("started", "w").close()
signal.pause()
"""


@alone
def test_fifty_replicas_make_one_database_and_all_start(case: Case) -> None:
    deployment, staging = kubernetes()["Deployment"], Staging(case)
    container, replicas = container_of(deployment), deployment["spec"]["replicas"]
    assert replicas == 50
    argv, agent = container["command"] + container["args"], case.make_agent()
    env = staging.environment(container_environment(deployment))
    herd = [agent.start(*argv[1:], env=env, cwd=ACME) for _ in range(replicas)]
    ended = [one.wait(START_SECONDS).expect(0) for one in herd]
    assert all("environment staging" in each.stdout and "missing" not in each.stdout for each in ended)
    made = [each for each in ended if '"msg":"the database was made and stamped"' in each.stderr]
    assert len(made) == 1, [each.stderr for each in made]
    assert staging.postgres.value("SELECT count(*) FROM alembic_version", "acme") == "1"


class Reports:
    """A program that is given PostgreSQL's own files, by a contract of the examples moved to the test's
    folder: `places` are its absolute paths, and where they are here."""

    def __init__(self, case: Case, bao: OpenBao, text: str, auth: Dict[str, str], places: Dict[str, str]) -> None:
        self.case, self.database = case, case.database()
        mount = bao.database_engine(case.postgres, self.database.name, role="acme", ttl="20m")
        case.defer(lambda: bao.request("PUT", f"sys/leases/revoke-prefix/{mount}"))
        self.policies = [bao.policy({f"{mount}/creds/acme": ["read"]})]
        assert text.count(CREDS) == 2
        for there, here in {CREDS: f"{mount}/creds/acme", **places}.items():
            assert there in text, there
            text = text.replace(there, here)
        document = json.loads(text)
        document["vault"]["auth"].update(auth)
        for name, value in (("HOST", "127.0.0.1"), ("PORT", case.postgres.port), ("NAME", self.database.name)):
            document["vars"][f"DB_{name}"]["default"] = value
        case.folder.write("deployed/contract.json", json.dumps(document))
        linted = case.agent("check", "--lint", "--json", "--contract", str(case.folder / "deployed/contract.json"))
        assert linted.expect(0).json()["problems"] == []
        case.folder.write("reports.py", REPORTS)
        self.env = {"VAULT_ADDR": bao.address, "AGENT_CONTRACT": str(case.folder / "deployed/contract.json")}

    def start(self, argv: List[str], **env: str) -> Running:
        """`agent ARGV`, with our program in place of what is behind `--`."""
        options = argv[1:argv.index("--")]
        running = self.case.make_agent().start(*options, "--", sys.executable, "reports.py", env={**self.env, **env})
        wait_until(lambda: (self.case.folder / "started").exists() or running.ended(), "its start")
        return running

    def ends(self, running: Running) -> None:
        """Asked to end, it does; it was logged in as who Vault made, and nobody else reads how."""
        assert (self.case.folder / "pgpass").stat().st_mode & 0o777 == 0o400
        running.signal(signal.SIGTERM)
        user, password = running.wait().expect(3).stdout.split()
        assert user.startswith("v-") and password == "False"


def test_a_service_account_gets_in_and_the_probes_say_so(case: Case) -> None:
    objects, signer, reviewer, bao = (kubernetes("kubernetes-auth.yaml"), Signer(case.folder.path), Reviewer(case),
                                      case.openbao)
    account, deployment = objects["ServiceAccount"], objects["Deployment"]
    container = container_of(deployment)
    where, name = account["metadata"]["namespace"], account["metadata"]["name"]
    pod = deployment["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == name and not account["automountServiceAccountToken"]
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert mounts.keys() == volumes.keys()
    (projected,) = volumes["token"]["projected"]["sources"]
    token = projected["serviceAccountToken"]
    (config,) = objects["ConfigMap"]["data"]
    assert volumes["contract"]["configMap"]["name"] == objects["ConfigMap"]["metadata"]["name"]
    assert container["env"] == [{"name": "AGENT_CONTRACT", "value": f"{mounts['contract']}/{config}"}]

    mount = bao.kubernetes(reviewer.server.address, reviewer.certificates.ca, [], where, name)
    reports = Reports(case, bao, objects["ConfigMap"]["data"][config], {"mount": mount}, {
        f"{mounts['token']}/{token['path']}": str(case.folder / "token"), mounts["run"]: str(case.folder.path)})
    # The role is what the file's head says.
    head = (ENTRYPOINT / "kubernetes-auth.yaml").read_text().replace("\\\n#", "")
    words = shlex.split(re.findall(r"vault write (.*)", head)[0])
    assert words[0] == f"auth/kubernetes/role/{name}"
    role: Dict[str, Any] = dict(each.split("=", 1) for each in words[1:])
    assert role["audience"] == token["audience"]
    bao.write(f"auth/{mount}/role/{name}", {**role, "token_policies": reports.policies})

    jwt = case.canaries.add("the account's token", signer.sign({
        "iss": "https://kubernetes.default.svc", "aud": [token["audience"]],
        "sub": f"system:serviceaccount:{where}:{name}",
        "kubernetes.io": {"namespace": where, "serviceaccount": {"name": name, "uid": "uid-1"}}}))
    reviewer.accounts[jwt] = (where, name)
    case.folder.write("token", jwt + "\n", 0o640)
    running = reports.start(container["command"])
    for probe in ("readinessProbe", "livenessProbe"):
        argv = container[probe]["exec"]["command"]
        case.agent(*argv[1:], env=reports.env).expect(0)
    reports.ends(running)
    gone = case.agent(*container["readinessProbe"]["exec"]["command"][1:], env=reports.env).expect(1)
    assert "agent.sock" in gone.stderr, gone


def test_the_unit_of_years_gets_its_credential_and_tells_systemd(case: Case) -> None:
    settings, bao = unit("acme-reports.service"), case.openbao
    text = (ENTRYPOINT / "passfile.contract.json").read_text()
    (credential,), (runtime,) = settings["LoadCredential"], settings["RuntimeDirectory"]
    given = f"/run/credentials/acme-reports.service/{credential.split(':', 1)[0]}"
    reports = Reports(case, bao, text, {}, {given: str(case.folder / "secret-id"),
                                            f"/run/{runtime}": str(case.folder.path)})
    role = bao.approle(reports.policies)
    path = case.folder / "deployed/contract.json"
    document = json.loads(path.read_text())
    document["vault"]["auth"].update(mount=role.mount, role_id=role.role_id)
    path.write_text(json.dumps(document))
    case.folder.write("secret-id", case.canaries.add("the secret id", role.secret_id) + "\n", 0o400)
    manager, (exec_start,) = Manager(case), settings["ExecStart"]
    assert settings["Type"] == ["notify"] and "--supervise" in exec_start
    running = reports.start(shlex.split(exec_start), NOTIFY_SOCKET=manager.path)
    assert manager.hear()[0] == "READY=1"
    reports.ends(running)
    assert manager.hear()[0] == "STOPPING=1"
