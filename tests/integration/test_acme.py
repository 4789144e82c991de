"""The example: two ways to one schema, and each form of `create` through agent."""
from __future__ import annotations

import base64
import json
import sys
from typing import Dict, List, Optional

from tests.lib.agent import Result, agent_binary
from tests.lib.alembic import assert_alembic_agrees
from tests.lib.case import ACME, Case, lacks
from tests.lib.catalog import catalog, differences, owners
from tests.lib.servers import ROOT, Database

HEAD = "8724112fd42a"
REVISIONS = 125
EMIT = ["python3", "-m", "app.emit_ddl"]
EMIT_ALEMBIC = ["alembic", "upgrade", "heads", "--sql"]
COMMAND = ["python3", "-m", "app.init_db"]
EXPECT = ["users", "orgs", "invoices", "attachments"]


# ---- without agent --------------------------------------------------------------------------------


def acme(case: Case, database: Optional[Database], *argv: str) -> str:
    """Run a command of the example's own; gives its stdout."""
    env = {"DATABASE_URL": database.url()} if database else {}
    return case.tool(*argv, env=env, cwd=ACME).expect(0).stdout


def by_migrations(case: Case) -> List[str]:
    """The catalog that `alembic upgrade heads` leaves; the same for every test."""
    def make() -> List[str]:
        database = case.database()
        acme(case, database, "alembic", "upgrade", "heads")
        assert database.stamped() == [HEAD]
        return catalog(database)

    return case.once("acme by migrations", make)


def assert_same(got: List[str], wanted: List[str]) -> None:
    """The two catalogs are equal, and there is something in them."""
    assert len(wanted) > 200, len(wanted)
    found = differences(got, wanted)
    assert not found, found


def test_the_migrations_and_the_models_give_one_schema(case: Case) -> None:
    live, emitted, offline = case.database(), case.database(), case.database()
    acme(case, live, *COMMAND)
    emitted.sql(acme(case, None, *EMIT))
    offline.sql(acme(case, None, *EMIT_ALEMBIC))
    wanted = by_migrations(case)
    assert_same(catalog(live), wanted)
    assert_same(catalog(emitted), wanted)
    assert_same(catalog(offline), wanted)


def test_alembic_sees_no_difference_between_models_and_migrations(case: Case) -> None:
    database = case.database()
    acme(case, database, "alembic", "upgrade", "heads")
    assert "No new upgrade operations detected." in acme(case, database, "alembic", "check")


def test_every_migration_goes_down_and_up_again(case: Case) -> None:
    database = case.database()
    acme(case, database, "alembic", "upgrade", "heads")
    before = catalog(database)
    acme(case, database, "alembic", "downgrade", "base")
    left = [line for line in catalog(database) if not line.startswith("relation: ")]
    assert left == [], left
    acme(case, database, "alembic", "upgrade", "heads")
    assert_same(catalog(database), before)


def test_the_data_migration_keeps_each_line_of_an_invoice(case: Case) -> None:
    database = case.database()
    acme(case, database, "alembic", "upgrade", "3c58b2f9e014")
    database.sql("""
        INSERT INTO orgs (slug, name) VALUES ('acme', 'Acme');
        INSERT INTO invoices (org_id, number, issued_at, due_at, lines)
        SELECT id, 'A-1', '2024-06-01', '2024-07-01',
               '[{"text": "seats", "quantity": 3, "unit_cents": 900}, {"text": "setup", "unit_cents": 5000}]'
          FROM orgs""")
    acme(case, database, "alembic", "upgrade", "heads")
    rows = database.sql("SELECT position, description, amount_cents FROM invoice_lines ORDER BY 1")
    assert rows == [["1", "seats", "2700"], ["2", "setup", "5000"]]
    database.sql("UPDATE invoices SET status = 'open'")
    assert database.value("SELECT detail ->> 'to' FROM audit_log") == "open"
    assert database.value("SELECT open_cents FROM org_overview") == "0"


# ---- through agent ----------------------------------------------------------------------------------


class Acme:
    """An empty database for the example, and a contract that names it: the example's own, with another
    `create` and an owner that this test made."""

    def __init__(self, case: Case, create: Dict[str, List[str]], owned: bool = True) -> None:
        self.case, self.database = case, case.database()
        self.owner = case.postgres.role(options="NOLOGIN").name if owned else None
        text = (ACME / "contract.json").read_text()
        for old, new in self._changes(create).items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        self.contract = case.folder.write("contract.json", text)
        self.env = {"DB_ROLE": "dev", "DATABASE_URL": self.database.url()}
        if self.owner:
            self.database.sql(f"GRANT CREATE ON SCHEMA public TO {self.owner};"
                              f"GRANT {self.owner} TO {self.database.owner.name}")

    def _changes(self, create: Dict[str, List[str]]) -> Dict[str, str]:
        return {
            json.dumps({"emit": EMIT}): json.dumps(create),
            '"owner": "acme_owner",': f'"owner": "{self.owner}",' if self.owner else "",
            '{"alembic": "alembic.ini"}': json.dumps({"alembic": str(ACME / "alembic.ini")})
                                          + f', "cwd": "{ACME}"',
        }

    def agent(self, *args: str) -> Result:
        """`agent ARGS` with this contract."""
        return self.case.agent(*args, "--contract", str(self.contract), env=self.env)

    def assert_made(self, wanted: List[str]) -> None:
        """Bootstrap makes it; Alembic agrees; the second time there is nothing to do."""
        assert self.agent("verify", "--json").expect(1).json()["state"] == "fresh"
        made = self.agent("bootstrap", "--json").expect(0).json()
        assert made["created"] and made["verified"] and made["state"] == "current", made
        assert made["state_before"] == "fresh" and made["statements"] > 0, made
        assert made["heads"] == [HEAD] and made["stamped"] == [HEAD], made
        assert_same(catalog(self.database), wanted)
        if self.owner:
            assert owners(self.database) == [self.owner], owners(self.database)
        assert_alembic_agrees(self.case, self.database, ACME, [HEAD])
        again = self.agent("bootstrap", "--json").expect(0).json()
        assert not again["created"] and again["state_before"] == "current", again


def test_create_by_the_models_printed_as_sql(case: Case) -> None:
    Acme(case, {"emit": EMIT}).assert_made(by_migrations(case))


def test_create_by_alembics_own_sql(case: Case) -> None:
    Acme(case, {"emit": EMIT_ALEMBIC}).assert_made(by_migrations(case))


def test_create_by_a_command_that_connects_itself(case: Case) -> None:
    Acme(case, {"command": COMMAND}, owned=False).assert_made(by_migrations(case))


def test_create_by_sql_files(case: Case) -> None:
    text = acme(case, None, *EMIT)
    cut = text.index("CREATE FUNCTION")
    files = [str(case.folder.write("tables.sql", text[:cut])),
             str(case.folder.write("objects.sql", text[cut:]))]
    Acme(case, {"sql": files}).assert_made(by_migrations(case))


def test_create_by_what_pg_dump_wrote(case: Case) -> None:
    source = case.database()
    acme(case, source, "alembic", "upgrade", "heads")
    source.sql("""INSERT INTO orgs (slug, name, settings) VALUES ('a', E'tab\\there', '{"x": "\\\\n"}');
                  INSERT INTO feature_flags (key, description) VALUES ('beta', ''), ('ü', E'a\\nb')""")
    example = Acme(case, {"sql": [str(case.folder.write("dump.sql", source.dump()))]})
    example.assert_made(catalog(source))
    for table in ("orgs", "feature_flags"):
        rows = f"SELECT * FROM {table} ORDER BY 1"
        assert example.database.sql(rows) == source.sql(rows) != []


def test_dry_run_shows_the_sql_and_changes_nothing(case: Case) -> None:
    example = Acme(case, {"emit": EMIT})
    shown = example.agent("bootstrap", "--dry-run").expect(0).stdout
    missing = lacks(shown, ["CREATE TABLE users", "CREATE VIEW org_overview", HEAD])
    assert not missing, missing
    assert example.database.tables() == []


def test_the_contract_is_sound_in_each_profile(case: Case) -> None:
    contract = str(ACME / "contract.json")
    for profile in ("dev", "staging", "prod"):
        got = case.agent("check", "--lint", "--json", "--contract", contract, "--profile", profile)
        assert got.expect(0).json()["problems"] == [], got


def test_the_graph_is_what_alembic_says(case: Case) -> None:
    graph = case.agent("graph", str(ACME / "alembic.ini"), "--json").expect(0).json()
    said = acme(case, None, "alembic", "heads").split()
    assert graph["heads"] == graph["effective_heads"] == [HEAD] and said == [HEAD, "(head)"]
    assert graph["count"] == len(graph["order"]) == REVISIONS and graph["errors"] == []
    history = acme(case, None, "alembic", "history")
    parents = {each["revision"]: each["down_revision"] for each in graph["revisions"]}
    for revision, down in parents.items():
        line = f"{', '.join(down) or '<base>'} -> {revision}"
        assert line in history, line
    for revision in graph["order"]:
        assert all(graph["order"].index(each) < graph["order"].index(revision)
                   for each in parents[revision])


def test_the_whole_start_with_openbao(case: Case) -> None:
    """The contract as it is: AppRole, KV, a login of an hour, an owner that stays."""
    postgres, bao = case.server_of_its_own(), case.openbao_tls
    database = postgres.database(name="acme")
    postgres.sql("CREATE ROLE acme_owner NOLOGIN; GRANT CREATE ON SCHEMA public TO acme_owner", "acme")
    mount = bao.database_engine(postgres, "acme", role="acme", member_of="acme_owner",
                                mount="database")
    case.defer(lambda: bao.request("DELETE", f"sys/mounts/{mount}"))
    case.canaries.add("owner's password", database.owner.password)
    bao.put("secret/acme/staging/db", {"host": "127.0.0.1", "port": str(postgres.port),
                                       "sslmode": "disable"})
    bao.put("secret/acme/staging/app", {
        "REDIS_URL": f"rediss://:{case.canaries.new('redis')}@cache.acme.internal:6379/0",
        "SESSION_SECRET": base64.b64encode(case.canaries.new("session", characters=60).encode()).decode(),
        "WEBHOOK_SIGNING_KEY": base64.b64encode(case.canaries.new("hooks", characters=60).encode()).decode(),
        "CLERK_SECRET_KEY": case.canaries.new("clerk", prefix="sk_test_")})
    policy = bao.policy({"secret/data/acme/staging/*": ["read"], "database/creds/acme": ["read"]})
    role = bao.approle([policy])
    env = {"VAULT_ADDR": bao.address, "VAULT_CACERT": str(bao.ca_cert), "DB_ROLE": "staging",
           "VAULT_ROLE_ID": role.role_id, "PUBLIC_URL": "https://app.acme.example",
           "VAULT_SECRET_ID": case.canaries.add("secret id", role.secret_id)}
    contract = case.folder.write("contract.json", (ACME / "contract.json").read_text().replace(
        '"method": "approle"', f'"method": "approle", "mount": "{role.mount}"')
        .replace('{"alembic": "alembic.ini"}', f'{{"alembic": "{ACME}/alembic.ini"}}, "cwd": "{ACME}"'))
    start = ["run", "--bootstrap", "--contract", str(contract), "--"]
    first = case.agent(*start, "python3", "-m", "app.main", env=env, cwd=ACME).expect(0)
    assert "DATABASE_URL" in first.stdout and "with a password" in first.stdout, first
    assert database.stamped() == [HEAD] and owners(database) == ["acme_owner"]
    again = case.agent(*start, "alembic", "current", "--check-heads", env=env, cwd=ACME).expect(0)
    assert f"{HEAD} (head)" in again.stdout, again


def test_the_demo_does_what_it_shows_and_leaves_nothing(case: Case) -> None:
    before = set((ROOT / "build").glob("demo-*"))
    shown = case.tool(sys.executable, str(ROOT / "examples" / "demo.py"), "--agent",
                      str(agent_binary("release")), seconds=300).expect(0)
    missing = lacks(shown.stdout, [f"{HEAD} (head)", "current", "servers are stopped"])
    assert not missing, (missing, shown)
    assert len(shown.stdout.splitlines()) <= 70, shown
    assert set((ROOT / "build").glob("demo-*")) <= before


def test_a_developers_environment_is_checked_without_vault(case: Case) -> None:
    secret = case.canaries.new("session", characters=60)
    env = {"DB_ROLE": "dev", "DATABASE_URL": f"postgresql://me:{case.canaries.new('db')}@localhost/acme",
           "REDIS_URL": "redis://localhost:6379/0", "CLERK_SECRET_KEY": case.canaries.new("clerk", "sk_test_"),
           "SESSION_SECRET": base64.b64encode(secret.encode()).decode()}
    check = ["check", "--env-only", "--json", "--contract", str(ACME / "contract.json")]
    right = case.agent(*check, env=env).expect(0).json()
    assert right["profile"] == "dev" and right["problems"] == [], right
    wrong = {**env, "DATABASE_URL": env["DATABASE_URL"].replace("localhost", "db.acme.internal"),
             "CLERK_SECRET_KEY": case.canaries.new("live", "sk_live_"), "PORT": "80000"}
    del wrong["SESSION_SECRET"]
    found = case.agent(*check, env=wrong).expect(1).json()["problems"]
    assert [(each["variable"], each["rule"]) for each in found] == [
        ("DATABASE_URL", "host"), ("SESSION_SECRET", "required"), ("CLERK_SECRET_KEY", "prefix"),
        ("PORT", "type")], found
