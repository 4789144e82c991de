"""Every secret is a canary, and each command is run where it goes well and where it does not.

Looked through for it, raw and as base64, hex, percent-encoded and JSON text: stdout, stderr, arguments, each
file that is left, PostgreSQL's log with every statement in it, OpenBao's log.
"""
from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Dict, Iterator, List, Sequence, Set

from tests.lib.agent import Result
from tests.lib.case import Case
from tests.lib.processes import wait_until
from tests.lib.project import HEAD, Project, SCHEMA
from tests.lib.servers import AppRole, Database, OpenBao, Postgres

VARIANT = "release"
SECRET = {"type": "string", "secret": True}
LOGS: Sequence[Sequence[str]] = ((), ("-v",), ("-v", "--log=json"))


class Place:
    """PostgreSQL that logs every statement of ours, OpenBao, an AppRole, and a contract that uses all."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.postgres: Postgres = case.server_of_its_own(options={
            "log_connections": "on", "log_min_error_statement": "debug5", "log_error_verbosity": "verbose"})
        self.bao: OpenBao = case.openbao_of_its_own()
        self.database: Database = case.database(self.postgres)
        self.postgres.sql(f'ALTER ROLE "{self.database.owner.name}" SET log_statement = \'all\'')
        self.role: AppRole = self._fill()
        self.files: Set[str] = {"secret.txt"}  # those that hold a secret because they are told to
        self.contract()

    def _fill(self) -> AppRole:
        case, bao = self.case, self.bao
        mount = bao.database_engine(self.postgres, self.database.name)
        bao.put("secret/app", {"password": self.database.owner.password,
                               "key": case.canaries.new("key", prefix='q"%/'),
                               "lines": case.canaries.new("lines") + "\n" + case.canaries.new("line two"),
                               "number": "12345678"})
        self.mount = mount
        case.folder.write("secret.txt", case.canaries.new("file") + "\n", 0o600)
        rules = {"secret/data/app": ["read"], f"{mount}/creds/app": ["read"]}
        role = bao.approle([bao.policy(rules)])
        case.canaries.add("secret id", role.secret_id)
        return role

    def contract(self, **database: object) -> None:
        """Write it; `database` changes its keys."""
        case, owner = self.case, self.database.owner
        leak = ["python3", "-c", "import sys; t = open('secret.txt').read().strip(); "
                                 "print('said', t, file=sys.stderr); print(t)"]
        Project(case).database_contract(
            url={"type": "postgres-url", "secret": True, "source": {"p": "vault:secret/app#password"},
                 "compose": f"postgresql://{owner.name}:{{p|url}}@127.0.0.1:{self.postgres.port}/"
                            f"{self.database.name}"},
            variables={"KEY": {**SECRET, "source": "vault:secret/app#key"},
                       "LINES": {**SECRET, "source": "vault:secret/app#lines"},
                       "FILE": {**SECRET, "source": "file:secret.txt"},
                       "COMMAND": {**SECRET, "source": {"command": leak}},
                       "LOGIN": {**SECRET, "source": f"vault:{self.mount}/creds/app#password"}},
            sections={"vault": {"auth": {
                "method": "approle", "mount": self.role.mount, "role_id": "env:ROLE_ID",
                "secret_id": "env:SECRET_ID"}, "deadline": "3s"}}, **database)

    @property
    def env(self) -> Dict[str, str]:
        """What the agent is started with."""
        return {"VAULT_ADDR": self.bao.address, "ROLE_ID": self.role.role_id,
                "SECRET_ID": self.role.secret_id}

    def run(self, *args: str, **env: str) -> List[Result]:
        """A command with each kind of log."""
        options = LOGS if args[0] != "run" else LOGS[1:]
        return [self.case.agent(args[0], *log, *args[1:], env={**self.env, **env}) for log in options]

    def look_everywhere(self) -> None:
        """Leak where a canary is in something that is left."""
        for path in files_below(self.case.folder.path):
            if path.name not in self.files:
                self.case.canaries.check(path.read_bytes(), str(path))
        self.case.canaries.check(self.postgres.log_text().encode(), "PostgreSQL's log")
        self.case.canaries.check(Path(self.bao.folder / "log").read_bytes().replace(
            self.bao.token.encode(), b""), "OpenBao's log")


def files_below(folder: Path) -> Iterator[Path]:
    """Every regular file."""
    for base, _, names in os.walk(folder):
        yield from (Path(base) / name for name in names if (Path(base) / name).is_file())


def test_no_secret_is_left_anywhere_when_all_goes_well(case: Case) -> None:
    place = Place(case)
    results = place.run("check") + place.run("check", "--json") + place.run("bootstrap", "--dry-run")
    results += place.run("bootstrap") + place.run("verify", "--json")
    results += place.run("verify", "--query", "SELECT * FROM orgs")
    results += place.run("fetch", "--format=json", "-o", "out.json")
    place.files |= {"out.json", "login"}
    results += place.run("run", "--bootstrap", "--", "sh", "-c", 'printf %s "$LOGIN" >login')
    for result in results:
        result.expect(0)
    assert place.database.stamped() == [HEAD]
    log = place.postgres.log_text()
    assert "CREATE TABLE" in log and "connection authorized" in log, "the log has not what was looked for"
    # The login of the last start, which nobody knew before.
    case.canaries.add("login", (case.folder / "login").read_text())
    for result in results:
        case.canaries.check(result.raw_stderr + result.raw_stdout, f"the output of {result.argv[1:3]}")
    place.look_everywhere()


def test_no_secret_is_left_anywhere_when_it_fails(case: Case) -> None:
    place = Place(case)
    failures: List[Result] = []

    def failing(*args: str, **env: str) -> None:
        for result in place.run(*args, **env):
            assert result.code not in (0, 9) and result.stderr.strip(), result
            failures.append(result)

    # Sources: wrong, denied, away.
    failing("fetch", SECRET_ID=case.canaries.new("wrong secret id"))
    failing("fetch", VAULT_ADDR="http://127.0.0.1:1")
    contract = json.loads((case.folder / "contract.json").read_text())
    contract["vars"]["KEY"] = {**SECRET, "type": "int", "pattern": "[0-9]+", "prefix": "x", "length": [1, 2],
                               "source": "vault:secret/app#key"}
    contract["vars"]["LINES"].update(type="url", values=["a", "b"])
    contract["vars"]["FILE"].update(type="base64", min_bytes=99)
    contract["vars"]["NONE"] = {**SECRET, "source": "vault:secret/app#none"}
    contract["vars"]["OTHER"] = {**SECRET, "source": "vault:secret/other#x"}
    case.folder.write("contract.json", json.dumps(contract))
    failing("check")
    failing("check", "--json")
    failing("run", "--", "true")
    # Commands that show what they were given.
    shout = "import os, sys; print(os.environ.get('DATABASE_URL'), file=sys.stderr); sys.exit(3)"
    place.contract(create={"emit": ["python3", "-c", shout]}, env=["DATABASE_URL"])
    failing("bootstrap")
    place.contract(create={"command": ["python3", "-c", shout]}, env=["DATABASE_URL"])
    failing("bootstrap", "--json")
    # SQL that fails, in a file and in a query.
    place.contract()
    case.folder.write("schema.sql", SCHEMA + "SELECT broken;\n")
    failing("bootstrap")
    failing("verify", "--query", "SELECT * FROM nowhere")
    # A database that refuses.
    place.postgres.sql(f'ALTER ROLE "{place.database.owner.name}" PASSWORD \'another\'')
    place.contract(wait="1s")
    failing("verify")
    failing("bootstrap", "--json")
    failing("run", "--bootstrap", "--", "true")
    place.postgres.stop()
    failing("verify")
    place.postgres.start()
    assert len(failures) > 25
    place.look_everywhere()


def test_no_secret_is_in_the_arguments_or_files_of_a_running_start(case: Case) -> None:
    """While it runs: arguments of all processes, and what others of this machine may read."""
    place = Place(case)
    place.contract(create={"emit": ["sh", "-c", "cat schema.sql; touch emitting; sleep 1"]})
    running = case.make_agent().start("run", "--bootstrap", "--", "sleep", "1", env=place.env)
    wait_until(lambda: (case.folder / "emitting").exists() or running.ended(), "the emit")
    servers = {str(place.bao.program.pid)}  # the test itself hands it its root token
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        if path.parent.name in servers:
            continue
        try:
            case.canaries.check(path.read_bytes(), str(path))
        except OSError:
            continue  # it has ended
    assert not re.search("vault|token|secret", " ".join(
        path.name for path in Path("/tmp").iterdir() if str(running.pid) in path.name))
    running.wait().expect(0)
    place.look_everywhere()
