"""The example: two ways to one schema, and each form of `create` through agent."""
from __future__ import annotations

from typing import List, Optional

from tests.lib.case import ACME, Case
from tests.lib.catalog import catalog, differences, owners
from tests.lib.servers import Database, Role

HEAD = "41e7bd09c6f8"
REVISIONS = 31
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
    """The catalog that `alembic upgrade heads` leaves."""
    database = case.database()
    acme(case, database, "alembic", "upgrade", "heads")
    assert database.stamped() == [HEAD]
    return catalog(database)


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
