"""A small project to try commands on: a contract, a schema file and two Alembic revisions.

Its folder is the test's own. The contract is written from Python values, so that each test says only in
what its contract differs from the plain one.
"""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from tests.lib.case import Case
from tests.lib.servers import Database

HEAD = "b2"
TABLES = ["public.orgs", "public.users"]
SCHEMA = """\
CREATE TABLE orgs (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE users (id bigint PRIMARY KEY, org bigint REFERENCES orgs, mail text);
INSERT INTO orgs VALUES (1, 'Acme');
"""
INI = """\
[alembic]
script_location = %(here)s/migrations
path_separator = os
"""
ENV_PY = """\
import os
from alembic import context
from sqlalchemy import create_engine

if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
                       ).begin() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
"""
REVISION = """\
\"\"\"{text}\"\"\"
from alembic import op

revision = "{revision}"
down_revision = {down!r}


def upgrade():
    op.execute("{sql}")


def downgrade():
    pass
"""
URL_VARIABLE = {"type": "postgres-url", "secret": True, "source": "env"}


class Project:
    """A folder with `contract.json`, `schema.sql`, `alembic.ini` and `migrations/`."""

    def __init__(self, case: Case) -> None:
        self.case, self.folder = case, case.folder
        self.path: Path = case.folder.path
        self.folder.write("schema.sql", SCHEMA)
        self.folder.write("alembic.ini", INI)
        self.folder.write("migrations/env.py", ENV_PY)
        self.revision("a1", None, "organisations",
                      "CREATE TABLE orgs (id bigint PRIMARY KEY, name text NOT NULL)")
        self.revision("b2", "a1", "users",
                      "CREATE TABLE users (id bigint PRIMARY KEY, org bigint, mail text)")

    def revision(self, revision: str, down: Optional[str], text: str, sql: str) -> None:
        """Write one revision file."""
        self.folder.write(f"migrations/versions/{revision}.py", REVISION.format(
            revision=revision, down=down, text=text, sql=sql))

    def contract(self, variables: Optional[Mapping[str, Any]] = None, **sections: Any) -> Path:
        """Write contract.json with these `vars` and sections; gives its path."""
        text = json.dumps({"contract": 1, **sections, "vars": dict(variables or {})}, indent=1)
        return self.folder.write("contract.json", text)

    def database_contract(self, create: Any = None, variables: Optional[Mapping[str, Any]] = None,
                          url: Optional[Mapping[str, Any]] = None, sections: Any = None,
                          **settings: Any) -> Path:
        """A contract with a database: DATABASE_URL from the environment unless `url` says otherwise,
        `settings` are keys of `database` (None: that key is not written)."""
        database: Dict[str, Any] = {
            "url": "DATABASE_URL", "create": create or {"sql": ["schema.sql"]},
            "stamp": {"alembic": "alembic.ini"}, "wait": "20s", "lock_wait": "60s"}
        database.update(settings)
        return self.contract({"DATABASE_URL": url or URL_VARIABLE, **(variables or {})},
                             database={name: value for name, value in database.items()
                                       if value is not None}, **(sections or {}))

    def script(self, name: str, text: str) -> List[str]:
        """Write a Python script; gives the argv that runs it."""
        self.folder.write(name, text)
        return ["python3", name]


def assert_untouched(database: Database) -> None:
    """Nothing is in the database, and nobody holds a lock there."""
    assert database.tables() == [], database.tables()
    assert_no_lock(database)


def assert_made(database: Database) -> None:
    """The tables and one stamp are there, and nobody holds a lock."""
    assert database.tables() == ["public.alembic_version", *TABLES], database.tables()
    assert database.stamped() == [HEAD]
    assert_no_lock(database)


def assert_no_lock(database: Database) -> None:
    """No advisory lock is held in the database."""
    held = database.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = "
                          "(SELECT oid FROM pg_database WHERE datname = current_database())")
    assert held == "0", f"{held} advisory locks are held"
