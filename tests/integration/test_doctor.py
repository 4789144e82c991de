"""`agent doctor` against real servers and set-ups that are broken on purpose: each finding, once."""
from __future__ import annotations

import json
import os
import shutil
import socket
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from tests.lib.agent import Result
from tests.lib.case import Case, lacks
from tests.lib.postgres import quote_name, server_user
from tests.lib.processes import Program, free_port, listening, plain_environment, wait_until
from tests.lib.project import SCHEMA, URL_VARIABLE, Project
from tests.lib.scripted import Answer, RawServer, Request

SEVERITIES = {"ok", "warning", "error"}
LEFT_MS = 20_000  # of one run that may wait for somebody silent


class Findings:
    """What one run of doctor found."""

    def __init__(self, result: Result) -> None:
        self.result, self.document = result, result.json()
        self.list: List[Dict[str, Any]] = self.document["findings"]
        assert self.document["command"] == "doctor" and self.document["version"] == 1
        for finding in self.list:
            assert set(finding) == {"subject", "severity", "message", "hint"}, finding
            assert finding["severity"] in SEVERITIES and finding["message"] and finding["subject"]
        self.errors = [f for f in self.list if f["severity"] == "error"]
        assert self.document["ok"] is (not self.errors) and result.code == (1 if self.errors else 0)

    def find(self, severity: str, subject: str, *words: str) -> Dict[str, Any]:
        """The one finding of that severity about the subject with the words in message or hint."""
        found = [f for f in self.list if f["severity"] == severity and f["subject"] == subject
                 and not lacks(f["message"] + "\n" + (f["hint"] or ""), list(words))]
        assert len(found) == 1, f"{severity} {subject} {words}: {len(found)} of\n{self}"
        return found[0]

    def lacks_subject(self, subject: str, severity: Optional[str] = None) -> None:
        """Nothing is said of it."""
        assert not [f for f in self.list if f["subject"] == subject
                    and severity in (None, f["severity"])], self

    def __str__(self) -> str:
        return "\n".join(f"{f['severity']:8} {f['subject']}: {f['message']} | {f['hint']}"
                         for f in self.list)


def doctor(case: Case, *args: str, **how: Any) -> Findings:
    """Run it with --json."""
    return Findings(case.agent("doctor", "--json", *args, **how))


def in_vault(case: Case, rights: Mapping[str, List[str]], fields: Optional[Mapping[str, str]] = None,
             rotate: Optional[Mapping[str, Any]] = None, **sections: Any) -> Dict[str, str]:
    """A contract with one secret in KV, and the environment of a token with those rights (paths below
    the mount)."""
    mount = case.openbao.kv(2)
    case.openbao.put(f"{mount}/app", fields or {"f": case.canaries.new("the secret")})
    policy = case.openbao.policy({f"{mount}/{path}": what for path, what in rights.items()})
    token = case.canaries.add("the token", case.openbao.new_token(["default", policy]))
    Project(case).contract({"S": {
        "type": "string", "secret": True, "source": f"vault:{mount}/app#f",
        "rotate": rotate or {"strategy": "none", "why": "a test"}}}, **sections)
    return {"VAULT_ADDR": case.openbao.address, "VAULT_TOKEN": token, "MOUNT": mount}


# ---- all is well ------------------------------------------------------------------------------------------


def test_a_sound_set_up_has_no_error_and_nothing_is_left_behind(case: Case) -> None:
    bao, database = case.openbao, case.database()
    project, mount = Project(case), case.openbao.kv(2)
    engine = bao.database_engine(case.postgres, database.name, member_of=database.owner.name)
    bao.put(f"{mount}/app", {"f": case.canaries.new("the secret")})
    role = bao.approle([bao.policy({f"{mount}/data/app": ["read"], f"{engine}/creds/app": ["read"]})])
    case.canaries.add("secret id", role.secret_id)
    url = {"type": "postgres-url", "secret": True, "rotate": {"strategy": "none", "why": "a test"},
           "source": {"user": f"vault:{engine}/creds/app#username",
                      "password": f"vault:{engine}/creds/app#password"},
           "compose": "postgresql://{user|url}:{password|url}@127.0.0.1:"
                      f"{case.postgres.port}/{database.name}"}
    secret = {"secret": True, "source": f"vault:{mount}/app#f",
              "rotate": {"strategy": "none", "why": "a test"}}
    project.database_contract(url=url, variables={"S": secret}, sections={"vault": {"auth": {
        "method": "approle", "mount": role.mount, "role_id": "env:ROLE", "secret_id": "env:SECRET"}}},
        owner=database.owner.name)
    env = {"VAULT_ADDR": bao.address, "ROLE": role.role_id, "SECRET": role.secret_id}
    fresh = doctor(case, env=env)
    fresh.find("warning", "database state", "fresh", "agent bootstrap")
    case.agent("bootstrap", env=env).expect(0)
    found = doctor(case, env=env)
    assert found.errors == [], found
    for subject, words in (
            ("contract", "2 variables"), ("process", "not PID 1"), ("core files", "leaves none"),
            ("confinement", "seccomp"), ("vault", "version"), ("clock", "agrees"),
            ("token", "logged in by 'approle'"), (f"vault:{mount}/app", "may be read (S)"),
            (f"vault:{engine}/creds/app", "may be read"), ("variables", "all are there"),
            (f"lease of {engine}/creds/app", "1h"), ("database", "PostgreSQL " + case.postgres.value("SHOW server_version")),
            ("database state", "current"), ("psql", "works"), ("env.py", "read, not run"),
            ("library", "libcurl "), ("library", "libpq "), ("library", "libpg_query")):
        found.find("ok", subject, words)
    wait_until(lambda: bao.leases(f"{engine}/creds/app") == [], "the end of what doctor leased")
    shown = case.agent("doctor", env=env).expect(0).stdout
    assert shown.splitlines()[-1].startswith("0 errors, ") and "ok    contract: " in shown, shown


def test_without_a_contract_or_with_a_broken_one_the_rest_is_looked_at(case: Case) -> None:
    nothing = doctor(case)
    nothing.find("warning", "contract", "there is none here", "--contract")
    nothing.find("ok", "library", "libpq")
    bao = case.openbao
    mount = bao.kv(2)
    bao.put(f"{mount}/app", {"x": case.canaries.new("value")})
    env = {"VAULT_ADDR": bao.address, "VAULT_TOKEN": bao.token, "X": f"vault:{mount}/app#x"}
    doctor(case, env=env).find("ok", "variables", "1 variable of the environment refers")
    doctor(case, env={**env, "Y": f"vault:{mount}/app#y"}).find("error", "variables", "'Y'", "no field 'y'")
    doctor(case, env={**env, "Y": "vault:secret"}).find("error", "variables", "'Y'", "'#'")
    two = doctor(case, env={**env, "Y": f"vault:{mount}/app#y", "Z": f"vault:{mount}/none#z"})
    two.find("error", "Y", "no field 'y'")
    two.find("error", "Z", f"{mount}/data/none")
    case.folder.write("contract.json", '{"contract": 1,\n "vars": {"A": {"tyep": "int"}}}')
    broken = doctor(case)
    broken.find("error", "A", "tyep", "type", "contract.json:2")
    broken.find("ok", "core files")
    Project(case).contract({"A": {"type": "int"}, "B": {"secret": True, "source": "env"}})
    found = doctor(case, env={"A": "many"})
    found.find("error", "A", "whole number")
    found.find("error", "B", "not set")
    found.find("warning", "B", "rotate")
    assert case.agent("doctor", "word").expect(2).stderr.count("does not take 'word'") == 1


# ---- this process ------------------------------------------------------------------------------------------


def test_memory_that_can_not_be_locked_and_few_descriptors_are_told(case: Case) -> None:
    Project(case).contract({})
    agent = case.make_agent()
    # Root may lock whatever the limit is; nobody else has that to give up, nor could.
    as_others = ["setpriv", "--bounding-set=-ipc_lock"] if os.geteuid() == 0 else []
    found = Findings(case.tool(
        *as_others, "sh", "-c",
        'ulimit -l 0; ulimit -n 40; exec "$0" doctor --json', str(agent.binary)))
    found.find("warning", "memory lock", "0 KiB at most", "LimitMEMLOCK")
    found.find("warning", "open files", "40 at most")


def test_what_the_environment_does_is_told(case: Case) -> None:
    Project(case).database_contract()
    database = case.database()
    found = doctor(case, env={
        "SSLKEYLOGFILE": "keys", "LD_LIBRARY_PATH": "/nowhere", "BAO_NAMESPACE": "", "PGHOST": "h",
        "VAULT_NAMESPACE": "team", "BAO_ADDR": "https://a", "VAULT_ADDR": "https://b", "PGPORT": "1",
        "VAULT_SKIP_VERIFY": "true", "BAO_ROLE": "", "DATABASE_URL": database.url()}, canaries=True)
    found.find("warning", "environment", "SSLKEYLOGFILE is set", "keys of its TLS sessions")
    found.find("warning", "environment", "LD_LIBRARY_PATH is set")
    found.find("warning", "environment", "BAO_NAMESPACE wins over VAULT_NAMESPACE", "empty")
    found.find("warning", "environment", "BAO_ADDR wins over VAULT_ADDR")
    found.find("warning", "environment", "BAO_ROLE is set and empty")
    found.find("warning", "environment", "VAULT_SKIP_VERIFY is set")
    found.find("warning", "environment", "PGHOST, PGPORT", "the URL says where to go")
    found.find("ok", "database", "127.0.0.1")  # and not h


# ---- files -------------------------------------------------------------------------------------------------


def test_what_lies_in_the_file_system_is_looked_at(case: Case) -> None:
    folder = case.folder
    folder.write("hooks/not", "#!/bin/sh\n", 0o644)
    folder.write("hooks/open", "#!/bin/sh\n", 0o777)
    folder.write("hooks/good", "#!/bin/sh\n", 0o755)
    folder.write("link-target", "")
    (folder / "link").symlink_to("link-target")
    (folder / "stale").mkdir(mode=0o755)
    (folder / "stale").chmod(0o755)
    token_file = folder.write(".vault-token", case.canaries.new("an old token"), 0o644)
    none = {"strategy": "none", "why": "a test"}
    taken = socket.create_server(("127.0.0.1", 0))
    case.defer(taken.close)
    hook = {"strategy": "hook", "every": "30d", "hook": ["hooks/gone"]}
    Project(case).contract(
        {"S": {"secret": True, "source": "sealed:S", "rotate": hook},
         "C": {"source": {"command": ["hooks/open"]}}, "P": {"source": "env", "default": "x"},
         "T": {"secret": True, "source": "sealed:T", "rotate": none}},
        run={"on_change": ["hooks/not"], "status": f"127.0.0.1:{taken.getsockname()[1]}",
             "stale": {"dir": "stale", "key_file": "stale.key"}},
        files=[{"path": "nowhere/f", "var": "P"}, {"path": "link", "var": "P"},
               {"path": "good", "var": "P"}])
    found = doctor(case)
    found.find("error", "run.on_change", "hooks/not", "chmod +x")
    found.find("error", "C", "hooks/open", "writ")
    found.find("warning", "hook of S", "hooks/gone", "in this image")
    found.find("error", "sealed store", "sealed.json")
    found.find("error", "file nowhere/f", "Make the folder")
    found.find("error", "file link", "symbolic link")
    found.find("ok", "file good", "0400")
    found.find("error", "run.status", "is taken", "another place")
    found.find("error", "run.stale", "open to others")
    found.find("warning", "token file", ".vault-token", "0644")
    token_file.chmod(0o600)
    case.agent("seal", "init").expect(0)
    for name in ("S", "T"):
        case.agent("seal", "set", name, text=b"value-of-it").expect(0)
    folder.write("hooks/gone", "#!/bin/sh\n", 0o755)
    (folder / "stale").rmdir()
    taken.close()
    better = doctor(case)
    for subject in ("sealed store", "sealed key", "hook of S", "run.status", "run.stale"):
        better.find("ok", subject)
    better.lacks_subject("token file")
    (folder / ".config/agent/sealed.key").chmod(0o644)
    doctor(case).find("error", "sealed key", "sealed.key")
    assert not (folder / "stale").exists() and not (folder / "good").exists(), "it looks only"


# ---- Vault -------------------------------------------------------------------------------------------------


def test_a_refused_path_comes_with_the_policy_and_a_request_that_try_it(case: Case) -> None:
    env = in_vault(case, {"data/other": ["read"]})
    mount = env["MOUNT"]
    refused = doctor(case, env=env).find("error", f"vault:{mount}/app", "may not read it")
    hint = refused["hint"]
    policy = hint[hint.index("path "):hint.index("Try it by hand")]
    request = hint[hint.index("curl "):]
    assert env["VAULT_TOKEN"] not in hint and '"$VAULT_TOKEN"' not in hint and "$VAULT_TOKEN" in request
    case.openbao.request("PUT", "sys/policies/acl/more-" + mount, {"policy": policy})
    token = case.canaries.add("another token",
                              case.openbao.new_token(["default", "more-" + mount]))
    allowed = doctor(case, env={**env, "VAULT_TOKEN": token})
    allowed.find("ok", f"vault:{mount}/app", "may be read")
    assert allowed.errors == [], allowed
    if shutil.which("curl"):
        said = case.tool("sh", "-c", request, env={"VAULT_TOKEN": token}).expect(0).stdout
        assert json.loads(said)["data"]["data"].keys() == {"f"}


def test_agents_own_variables_are_no_reason_to_refuse_a_start(case: Case) -> None:
    env = in_vault(case, {"data/app": ["read"]})
    mount = env["MOUNT"]
    Project(case).contract({
        "S": {"source": f"vault:{mount}/app#f"},
        "ADMIN": {"source": f"vault:{mount}/admin#f", "expose": "agent"}})
    found = doctor(case, env=env)
    found.find("warning", f"vault:{mount}/admin", "run does without it")
    assert found.errors == [], found


def test_a_vault_that_is_sealed_away_or_in_another_time_is_told(case: Case) -> None:
    health: Dict[str, Any] = {"initialized": True, "sealed": True, "standby": False, "version": "9.9",
                              "server_time_utc": int(time.time()) + 3600}

    def script(request: Request) -> Answer:
        return Answer(200 if request.path.startswith("/v1/sys/health") else 503, json.dumps(health))

    server, database = case.scripted(script), case.database()
    Project(case).database_contract(variables={"S": {"source": "vault:secret/app#f"}})
    env = {"VAULT_ADDR": server.address, "VAULT_TOKEN": "t", "DATABASE_URL": database.url()}
    sealed = doctor(case, env=env)
    sealed.find("error", "vault", "is sealed", "operator unseal")
    sealed.find("error", "clock", "ahead", "NTP")
    sealed.find("warning", "variables", "1 could not be looked at")
    sealed.find("ok", "database", "PostgreSQL")
    health.update(server_time_utc=int(time.time()) - 100, initialized=False)
    doctor(case, env=env).find("warning", "clock", "behind")
    doctor(case, env=env).find("error", "vault", "never initialized")
    assert all("X-Vault-Token" not in r.headers and "x-vault-token" not in r.headers
               for r in server.requests), "health needs no token"
    mute = case.scripted(lambda request: Answer(404, '{"errors": []}'))
    unknown = doctor(case, env={**env, "VAULT_ADDR": mute.address})
    unknown.find("warning", "vault", "sys/health", "404")
    unknown.find("error", "token")
    away = doctor(case, env={**env, "VAULT_ADDR": f"http://127.0.0.1:{free_port()}"})
    away.find("error", "vault", "127.0.0.1")
    away.find("ok", "database", "PostgreSQL")


def test_one_that_says_nothing_does_not_stop_the_others(case: Case) -> None:
    def silent(connection: socket.socket) -> None:
        server.stopping.wait()

    server, database = RawServer(silent), case.database()
    case.defer(server.stop)
    Project(case).database_contract(variables={"S": {"source": "vault:secret/app#f"}})
    began = time.monotonic()
    found = doctor(case, "--timeout", "3s", env={
        "VAULT_ADDR": f"http://127.0.0.1:{server.port}", "VAULT_TOKEN": "t",
        "DATABASE_URL": database.url()})
    assert (time.monotonic() - began) * 1000 < LEFT_MS
    found.find("error", "vault", str(server.port))
    found.find("ok", "database", "PostgreSQL")


def test_what_is_wrong_with_a_token_is_told(case: Case) -> None:
    env = in_vault(case, {"data/app": ["read"]})
    bao = case.openbao
    root = doctor(case, env={**env, "VAULT_TOKEN": bao.token})
    root.find("warning", "token", "root token")
    dead = doctor(case, env={**env, "VAULT_TOKEN": "never-one-of-them"})
    dead.find("error", "token")
    policy = bao.policy({f"{env['MOUNT']}/data/app": ["read"]})
    short = bao.new_token(["default", policy], ttl="50s", renewable=False, num_uses=50)
    found = doctor(case, env={**env, "VAULT_TOKEN": case.canaries.add("a short one", short)})
    found.find("warning", "token", "hardly time for a start")
    found.find("warning", "token", "can't be renewed", "log in by itself")
    found.find("warning", "token", "more times only", "num_uses")
    nobody = doctor(case, env={"VAULT_ADDR": bao.address})
    nobody.find("error", "token")
    nobody.lacks_subject("variables", "ok")


def test_what_a_given_token_leased_to_look_is_ended(case: Case) -> None:
    bao, database = case.openbao, case.database()
    engine = bao.database_engine(case.postgres, database.name, member_of=database.owner.name)
    policy = bao.policy({f"{engine}/creds/app": ["read"], "sys/leases/revoke": ["update"]})
    token = case.canaries.add("a token", bao.new_token(["default", policy]))
    Project(case).contract({"U": {"source": f"vault:{engine}/creds/app#username"}})
    found = doctor(case, env={"VAULT_ADDR": bao.address, "VAULT_TOKEN": token})
    found.find("ok", f"lease of {engine}/creds/app", "renewed by run")
    wait_until(lambda: bao.leases(f"{engine}/creds/app") == [], "the end of the lease")


def test_a_lease_that_can_not_be_renewed_is_told(case: Case) -> None:
    answers = {
        "sys/health": {"initialized": True, "sealed": False, "standby": True, "version": "9"},
        "auth/token/lookup-self": {"data": {"policies": ["app"], "ttl": 3600, "renewable": True}},
        "sys/capabilities-self": {"data": {"database/creds/app": ["read"]}},
        "database/creds/app": {"lease_id": "database/creds/app/1", "lease_duration": 90,
                               "renewable": False, "data": {"username": "u"}},
        "sys/leases/revoke": {}}
    server = case.scripted(lambda request: Answer(200, json.dumps(
        answers[request.path[len("/v1/"):].partition("?")[0]])))
    Project(case).contract({"U": {"source": "vault:database/creds/app#username"}})
    found = doctor(case, env={"VAULT_ADDR": server.address, "VAULT_TOKEN": "t"})
    found.find("warning", "lease of database/creds/app", "lasts 1m", "can't be renewed", "replaces it")
    found.find("warning", "clock", "does not tell its time")
    found.find("ok", "vault", "a standby")


def test_a_wrapped_secret_id_is_left_for_the_start(case: Case) -> None:
    bao = case.openbao
    role = bao.approle([bao.policy({"secret/data/none": ["read"]})])
    wrapping = case.canaries.add("wrapping token", bao.wrapped_secret_id(role))
    Project(case).contract({"S": {"source": "vault:secret/app#f"}}, vault={"auth": {
        "method": "approle", "mount": role.mount, "role_id": "env:ROLE",
        "secret_id": "env:WRAPPED", "secret_id_wrapped": True}})
    found = doctor(case, env={"VAULT_ADDR": bao.address, "ROLE": role.role_id, "WRAPPED": wrapping})
    found.find("warning", "token", "works once", "VAULT_TOKEN")
    assert bao.request("POST", "sys/wrapping/unwrap", {"token": wrapping})["data"], "it still does"


# ---- rotation ----------------------------------------------------------------------------------------------


def test_a_record_that_the_application_may_read_is_a_warning(case: Case) -> None:
    rotate = {"strategy": "random", "bytes": 32, "every": "30d"}
    env = in_vault(case, {"*": ["read"]}, rotate=rotate)
    mount = env["MOUNT"]
    wide = doctor(case, env=env)
    wide.find("warning", "rotation of S", f"{mount}/app.pending/S", "--rotate")
    assert wide.errors == [], wide
    narrow = case.canaries.add("a narrow token", case.openbao.new_token(
        ["default", case.openbao.policy({f"{mount}/data/app": ["read"]})]))
    doctor(case, env={**env, "VAULT_TOKEN": narrow}).find("ok", "rotation of S", "can't read")
    blind = doctor(case, "--rotate", env={**env, "VAULT_TOKEN": narrow})
    blind.find("error", "rotation of S", f"{mount}/data/app.pending/S", "capabilities")
    reading = doctor(case, "--rotate", env=env)
    reading.find("error", "rotation of S", "stands in its way", f"{mount}/data/app.pending/S", '"create"')
    able = doctor(case, "--rotate", env={**env, "VAULT_TOKEN": case.openbao.token})
    able.find("ok", "rotation of S", "nothing stands in its way (random)")


# ---- the database ------------------------------------------------------------------------------------------


def at_database(case: Case, url: str, **how: Any) -> Findings:
    """Doctor with that DATABASE_URL."""
    how["env"] = {"DATABASE_URL": url, **how.get("env", {})}
    return doctor(case, **how)


def test_the_step_at_which_a_connection_fails_is_told_and_what_psql_says(case: Case) -> None:
    Project(case).database_contract()
    database = case.database()
    wrong = at_database(case, database.url(password=case.canaries.new("a wrong password")))
    wrong.find("error", "database, step auth", "28P01")
    wrong.find("warning", "psql", "exited with 2", "password authentication failed")
    away = at_database(case, database.url(port=free_port()))
    away.find("error", "database, step connect")
    no_such = at_database(case, case.postgres.url("nowhere", database.owner.name,
                                                  database.owner.password))
    no_such.find("error", "database, step database", "3D000")
    tls = at_database(case, database.url(query={"sslmode": "require"}))
    tls.find("error", "database, step tls")
    broken = at_database(case, "postgresql://:::")
    assert broken.errors, broken


def test_a_psql_that_says_nothing_is_told(case: Case) -> None:
    Project(case).database_contract()
    case.folder.write("bin/psql", "#!/bin/sh\nexit 2\n", 0o755)
    path = f"{case.folder.path}/bin:{os.environ['PATH']}"
    found = at_database(case, case.database().url(), env={"PATH": path})
    found.find("warning", "psql", "said nothing at all", "exited with 2")
    (case.folder / "bin/psql").write_text(
        "#!/bin/sh\nprintf '%s\\n' \"$*|$PGPASSWORD\" >>said\n")
    database = case.database()
    at_database(case, database.url(), env={"PATH": path}).find("ok", "psql")
    arguments, password = (case.folder / "said").read_text().strip().split("|")
    assert arguments.startswith("-X -w -c select 1 postgresql://") and password == database.owner.password
    found = at_database(case, database.url(), env={"PATH": "/nowhere"})
    found.find("ok", "psql", "there is none here")


def test_the_state_and_what_the_login_may_do_are_told(case: Case) -> None:
    Project(case).database_contract()
    database = case.database()
    database.sql(f"SET ROLE {quote_name(database.owner.name)}; {SCHEMA}")
    found = at_database(case, database.url())
    found.find("error", "database state", "unstamped")
    found.find("ok", "database rights", "schema public")
    guest = case.postgres.role()
    case.canaries.add("a guest's password", guest.password)
    other = case.database()
    at_database(case, case.postgres.url(other.name, guest.name, guest.password)).find(
        "error", "database rights", "can't be made", "GRANT", guest.name)
    server, superuser = case.postgres, case.postgres.role(options="LOGIN SUPERUSER")
    case.canaries.add("a superuser's password", superuser.password)
    found = at_database(case, server.url(database.name, superuser.name, superuser.password))
    found.find("warning", "database", "superuser")
    database.sql(f"ALTER DATABASE {quote_name(database.name)} SET default_transaction_read_only = on")
    at_database(case, database.url()).find("warning", "database", "read-only")


def test_revisions_and_an_env_py_that_loses_its_stamp_are_told(case: Case) -> None:
    project = Project(case)
    project.database_contract()
    url = case.database().url()
    case.folder.write("migrations/env.py", "from alembic import context\n"
                      "with engine.connect() as connection:\n"
                      "    connection.execute(text('SELECT 1'))\n"
                      "    context.configure(connection=connection)\n"
                      "    with context.begin_transaction():\n        context.run_migrations()\n")
    at_database(case, url).find("warning", "env.py", "line 3", "rolled back, with exit 0",
                                "engine.begin()")
    (case.folder / "migrations/env.py").unlink()
    at_database(case, url).find("warning", "env.py", "was not found")
    (case.folder / "schema.sql").unlink()
    at_database(case, url).find("error", "database.create", "schema.sql", "bootstrap makes")
    project.revision("c3", "gone", "no parent", "SELECT 1")
    at_database(case, url).find("error", "migrations", "gone")


def test_a_pooler_is_told(case: Case) -> None:
    database = case.database()
    port = free_port()
    users = case.folder.write("users.txt", f'"{database.owner.name}" "{database.owner.password}"\n')
    settings = case.folder.write("pgbouncer.ini", f"""[databases]
* = host=127.0.0.1 port={case.postgres.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {users}
pool_mode = transaction
""")
    start_pooler(case, settings, port)
    Project(case).database_contract()
    found = at_database(case, database.url(port=port))
    found.find("warning", "database", "a pooler is in between", "direct address")


def start_pooler(case: Case, settings: Path, port: int) -> None:
    """Start it, and wait until it listens."""
    log = case.folder.write("pgbouncer.log", "", 0o666)
    case.folder.path.chmod(0o755)
    program = Program(["pgbouncer", str(settings)], log, plain_environment(case.folder.path),
                      case.folder.path, server_user())
    case.defer(program.stop)
    wait_until(lambda: listening(port), "pgbouncer", program)
