"""The lost stamp, with real SQLAlchemy 2 and Alembic: where this program comes from.

Under SQLAlchemy 2 what a `connect()` block did is rolled back at its end unless somebody commits. A stamp
made there is seen inside of the block, no exception comes, the process ends with 0, and the version
table is gone. Each variant here runs as users run it; agent must name the state, leave it alone, and
never be the one that makes it.
"""
from __future__ import annotations

import json
import re
from typing import Dict, List, Optional

from tests.lib.alembic import assert_alembic_agrees
from tests.lib.agent import Result
from tests.lib.case import Case

ROOT_REVISION, HEAD = "a1a1a1a1a1a1", "b2b2b2b2b2b2"

MODELS = """
import os
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, create_engine, text
URL = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
metadata = MetaData()
users = Table("users", metadata, Column("id", Integer, primary_key=True), Column("email", String(320)))
notes = Table("notes", metadata, Column("id", Integer, primary_key=True),
              Column("user_id", Integer, ForeignKey("users.id")))
"""
EMIT = """
CREATE = '''
CREATE TABLE users (id SERIAL PRIMARY KEY, email VARCHAR(320));
CREATE TABLE notes (id SERIAL PRIMARY KEY, user_id INTEGER REFERENCES users (id));
'''
print(CREATE)
"""
INI = "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = %(here)s\n"
ENV = """
from alembic import context
from sqlalchemy import create_engine, text
import models
{online}
"""
REVISION = """
from alembic import op
import sqlalchemy as sa
revision = "{revision}"
down_revision = {down}
def upgrade():
    op.create_table("{table}", sa.Column("id", sa.Integer(), primary_key=True))
def downgrade():
    op.drop_table("{table}")
"""
SOUND_ENV = """
with create_engine(models.URL).begin() as connection:
    context.configure(connection=connection, target_metadata=models.metadata)
    with context.begin_transaction():
        context.run_migrations()
"""
SCRIPT = """
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
import models
engine = create_engine(models.URL)
models.metadata.create_all(engine)
VERSION = ("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
           "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))")
INSERT = "INSERT INTO alembic_version VALUES ('{head}')"
SEEN = text("SELECT version_num FROM alembic_version")
scripts = ScriptDirectory("migrations")
{stamp}
print("stamped")
""".replace("{head}", HEAD)


class Project:
    """A small project with an Alembic folder, a contract and an empty database."""

    def __init__(self, case: Case, online: str = SOUND_ENV, more: Optional[Dict[str, str]] = None,
                 create: Optional[Dict[str, List[str]]] = None) -> None:
        self.case, self.database, self.folder = case, case.database(), case.folder
        write = self.folder.write
        write("models.py", MODELS)
        write("emit.py", EMIT)
        write("alembic.ini", INI)
        write("migrations/env.py", ENV.format(online=online))
        self.revision(ROOT_REVISION, None, "users")
        self.revision(HEAD, ROOT_REVISION, "notes")
        for revision, table in (more or {}).items():
            self.revision(revision, ROOT_REVISION, table)
        write("contract.json", json.dumps({
            "contract": 1,
            "vars": {"DATABASE_URL": {"type": "postgres-url", "secret": True, "source": "env"}},
            "database": {"url": "DATABASE_URL", "create": create or {"emit": ["python3", "emit.py"]},
                         "stamp": {"alembic": "alembic.ini"}, "expect": ["users", "notes"]}}))
        self.env = {"DATABASE_URL": self.database.url()}

    def revision(self, revision: str, down: Optional[str], table: str) -> None:
        """Add a revision file."""
        self.folder.write(f"migrations/versions/{revision}.py",
                          REVISION.format(revision=revision, down=repr(down), table=table))

    def python(self, script: str) -> Result:
        """Run a script in the project's folder."""
        self.folder.write("script.py", script)
        return self.case.tool("python3", "script.py", env=self.env)

    def create_all(self) -> None:
        """The tables, by the ORM: they are committed."""
        self.python(SCRIPT.replace("{stamp}", "")).expect(0)

    def alembic(self, *args: str) -> Result:
        """Run Alembic's own command."""
        return self.case.tool("alembic", *args, env=self.env)

    def agent(self, *args: str) -> Result:
        """Run agent."""
        return self.case.agent(*args, env=self.env)

    def rows(self) -> List[str]:
        """Every row and every sequence's value."""
        text = self.database.dump("--data-only", "--inserts")
        return [line for line in text.splitlines() if line.startswith(("INSERT ", "SELECT "))]

    def assert_lost(self, state: str, tables: List[str]) -> None:
        """The state is named, and left as it is, by verify and by bootstrap."""
        assert self.database.tables() == tables, self.database.tables()
        before = self.rows()
        seen = self.agent("verify", "--json").expect(1).json()
        assert seen["state"] == state and seen["stamped"] == [], seen
        text = self.agent("verify").expect(1).stdout
        assert state in text and "users" in text, text
        refused = self.agent("bootstrap", "--json").expect(6).json()
        assert refused["state"] == state and refused["ok"] is False, refused
        assert refused["error"]["code"] == 6 and state in refused["error"]["message"], refused
        said = self.agent("bootstrap").expect(6)
        assert state in said.stderr and said.stdout == "", said
        started = self.agent("run", "--bootstrap", "--", "echo", "the application").expect(125)
        assert started.stdout == "" and state in started.stderr, started
        assert self.database.tables() == tables and self.rows() == before

    def assert_kept(self) -> None:
        """The stamp is there, and agent has nothing to do."""
        assert self.database.stamped() == [HEAD]
        assert self.agent("verify", "--json").expect(0).json()["state"] == "current"
        assert self.agent("bootstrap", "--json").expect(0).json()["created"] is False


TABLES = ["public.notes", "public.users"]
WITH_VERSION = ["public.alembic_version"] + TABLES


def stamp_by_script(case: Case, stamp: str) -> Project:
    """create_all, then `stamp`, in one process that ends with 0 and says that it is stamped."""
    project = Project(case)
    assert project.python(SCRIPT.replace("{stamp}", stamp)).expect(0).stdout == "stamped\n"
    return project


def stamp_by_alembic(case: Case, online: str) -> Project:
    """create_all, then `alembic stamp head` through that env.py: exit 0, whatever came of it."""
    project = Project(case, online)
    project.create_all()
    assert "FAILED" not in project.alembic("stamp", "head").expect(0).stdout
    return project


# ---- SQL on a connection ----------------------------------------------------------------------------


def test_statements_in_connect_are_lost(case: Case) -> None:
    stamp_by_script(case, """
with engine.connect() as c:
    c.execute(text(VERSION))
    c.execute(text(INSERT))
    assert c.execute(SEEN).scalar() and c.in_transaction()
""").assert_lost("unstamped", TABLES)


def test_a_row_in_connect_is_lost_and_its_table_stays(case: Case) -> None:
    stamp_by_script(case, """
with engine.begin() as c:
    c.execute(text(VERSION))
with engine.connect() as c:
    c.execute(text(INSERT))
    assert c.execute(SEEN).scalar()
""").assert_lost("lost-stamp", WITH_VERSION)


def test_connect_with_a_commit_keeps_the_stamp(case: Case) -> None:
    stamp_by_script(case, """
with engine.connect() as c:
    c.execute(text(VERSION))
    c.execute(text(INSERT))
    c.commit()
""").assert_kept()


def test_begin_keeps_the_stamp(case: Case) -> None:
    stamp_by_script(case, """
with engine.begin() as c:
    c.execute(text(VERSION))
    c.execute(text(INSERT))
""").assert_kept()


# ---- Alembic's MigrationContext -----------------------------------------------------------------------


def test_a_context_in_connect_loses_the_stamp(case: Case) -> None:
    stamp_by_script(case, """
with engine.connect() as c:
    context = MigrationContext.configure(c)
    context.stamp(scripts, "head")
    assert context.get_current_heads()
""").assert_lost("unstamped", TABLES)


def test_a_context_that_only_ensured_its_table_leaves_it_empty(case: Case) -> None:
    stamp_by_script(case, """
with engine.begin() as c:
    MigrationContext.configure(c)._ensure_version_table()
with engine.connect() as c:
    MigrationContext.configure(c).stamp(scripts, "head")
""").assert_lost("lost-stamp", WITH_VERSION)


def test_a_context_in_begin_keeps_the_stamp(case: Case) -> None:
    stamp_by_script(case, """
with engine.begin() as c:
    MigrationContext.configure(c).stamp(scripts, "head")
""").assert_kept()


def test_a_context_with_its_transaction_keeps_the_stamp(case: Case) -> None:
    stamp_by_script(case, """
with engine.connect() as c:
    context = MigrationContext.configure(c)
    with context.begin_transaction():
        context.stamp(scripts, "head")
""").assert_kept()


def test_a_select_before_configure_loses_the_stamp(case: Case) -> None:
    stamp_by_script(case, """
with engine.connect() as c:
    c.execute(text("SELECT 1"))
    context = MigrationContext.configure(c)
    with context.begin_transaction():
        context.stamp(scripts, "head")
""").assert_lost("unstamped", TABLES)


# ---- `alembic stamp head` through env.py ----------------------------------------------------------------


def test_env_with_begin_keeps_the_stamp(case: Case) -> None:
    stamp_by_alembic(case, SOUND_ENV).assert_kept()


def test_env_with_connect_and_its_transaction_keeps_the_stamp(case: Case) -> None:
    stamp_by_alembic(case, SOUND_ENV.replace(".begin()", ".connect()", 1)).assert_kept()


BROKEN_ENVS = {
    "a statement before configure": """
with create_engine(models.URL).connect() as connection:
    connection.execute(text("SET LOCAL lock_timeout = '5s'"))
    context.configure(connection=connection, target_metadata=models.metadata)
    with context.begin_transaction():
        context.run_migrations()
""",
    "an advisory lock before configure": """
with create_engine(models.URL).connect() as connection:
    connection.execute(text("SELECT pg_advisory_lock(42)"))
    context.configure(connection=connection, target_metadata=models.metadata)
    with context.begin_transaction():
        context.run_migrations()
""",
    "no transaction": """
with create_engine(models.URL).connect() as connection:
    context.configure(connection=connection, target_metadata=models.metadata)
    context.run_migrations()
""",
    "a transaction that nobody commits": """
with create_engine(models.URL).connect() as connection:
    transaction = connection.begin()
    context.configure(connection=connection, target_metadata=models.metadata)
    with context.begin_transaction():
        context.run_migrations()
""",
}


def test_env_with_a_statement_before_configure_loses_the_stamp(case: Case) -> None:
    stamp_by_alembic(case, BROKEN_ENVS["a statement before configure"]).assert_lost("unstamped", TABLES)


def test_env_with_a_lock_before_configure_loses_the_stamp(case: Case) -> None:
    online = BROKEN_ENVS["an advisory lock before configure"]
    stamp_by_alembic(case, online).assert_lost("unstamped", TABLES)


def test_env_without_a_transaction_loses_the_stamp(case: Case) -> None:
    stamp_by_alembic(case, BROKEN_ENVS["no transaction"]).assert_lost("unstamped", TABLES)


def test_env_with_a_transaction_that_nobody_commits_loses_the_stamp(case: Case) -> None:
    online = BROKEN_ENVS["a transaction that nobody commits"]
    stamp_by_alembic(case, online).assert_lost("unstamped", TABLES)


# ---- what Alembic does with it next -----------------------------------------------------------------------


def test_the_next_deployment_fails_on_a_lost_stamp(case: Case) -> None:
    """What the origin saw: `current` says nothing and ends with 0, `upgrade` falls over the tables."""
    project = stamp_by_alembic(case, BROKEN_ENVS["no transaction"])
    assert project.alembic("current").expect(0).stdout == ""
    project.folder.write("migrations/env.py", ENV.format(online=SOUND_ENV))
    assert "already exists" in project.alembic("upgrade", "head").expect(1).stderr
    project.assert_lost("unstamped", TABLES)


# ---- the cure ---------------------------------------------------------------------------------------------


def test_bootstrap_stamps_whatever_env_py_would_lose(case: Case) -> None:
    for what, online in BROKEN_ENVS.items():
        case.say(f"env.py has {what}")
        project = Project(case, online)
        made = project.agent("bootstrap", "--json").expect(0).json()
        assert made["created"] and made["verified"] and made["stamped"] == [HEAD], made
        assert project.database.tables() == WITH_VERSION
        assert_alembic_agrees(case, project.database, case.folder.path, [HEAD])


def test_bootstrap_stamps_each_head(case: Case) -> None:
    other = "c3c3c3c3c3c3"
    project = Project(case, more={other: "feats"})
    made = project.agent("bootstrap", "--json").expect(0).json()
    assert sorted(made["heads"]) == sorted(made["stamped"]) == [HEAD, other], made
    assert_alembic_agrees(case, project.database, case.folder.path, [HEAD, other])


def test_the_version_table_is_the_one_that_alembic_makes(case: Case) -> None:
    theirs, ours = Project(case), Project(case)
    theirs.alembic("upgrade", "head").expect(0)
    ours.agent("bootstrap").expect(0)
    look = """SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                     (SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
                       WHERE conrelid = a.attrelid AND contype = 'p')
                FROM pg_attribute a WHERE a.attrelid = 'alembic_version'::regclass AND a.attnum > 0"""
    assert ours.database.sql(look) == theirs.database.sql(look) != []


def test_the_last_statement_of_what_bootstrap_writes_is_its_commit(case: Case) -> None:
    """Read from the server's log: after the stamp comes COMMIT, and no ROLLBACK."""
    project = Project(case)
    server = case.server_of_its_own(options={"log_statement": "all", "log_line_prefix": "%p "})
    database = server.database()
    project.env = {"DATABASE_URL": database.url()}
    case.canaries.add("owner's password", database.owner.password)
    project.agent("bootstrap").expect(0)
    sent = re.findall(r"^(\d+) LOG:  statement: (.*?)(?=^\d+ |\Z)", server.log_text(), re.M | re.S)
    stamps = [i for i, (_, text) in enumerate(sent) if "INSERT INTO" in text and HEAD in text]
    assert len(stamps) == 1, sent
    pid, text = sent[stamps[0]]
    tail = text[text.index("INSERT INTO"):]
    after = [tail] + [text for who, text in sent[stamps[0] + 1:] if who == pid]
    assert "ROLLBACK" not in "".join(after), after
    assert any(text.rstrip("; \n").endswith("COMMIT") for text in after), after
    assert database.stamped() == [HEAD]


LOST_IN_COMMAND = SCRIPT.replace("{stamp}", """
with engine.connect() as c:
    c.execute(text(VERSION))
    c.execute(text(INSERT))
""")
ALL_LOST_IN_COMMAND = """
from sqlalchemy import create_engine
import models
with create_engine(models.URL).connect() as c:
    models.metadata.create_all(c)
"""


def test_a_command_that_loses_its_stamp_gets_one(case: Case) -> None:
    project = Project(case, create={"command": ["python3", "init_db.py"]})
    project.folder.write("init_db.py", LOST_IN_COMMAND)
    made = project.agent("bootstrap", "--json").expect(0).json()
    assert made["created"] and made["stamped"] == [HEAD], made
    assert_alembic_agrees(case, project.database, case.folder.path, [HEAD])


def test_a_command_that_loses_its_tables_is_not_stamped(case: Case) -> None:
    project = Project(case, create={"command": ["python3", "init_db.py"]})
    project.folder.write("init_db.py", ALL_LOST_IN_COMMAND)
    failed = project.agent("bootstrap", "--json").expect(6).json()
    assert failed["ok"] is False and failed["error"]["message"], failed
    assert project.database.tables() == []
    assert project.agent("verify", "--json").expect(1).json()["state"] == "fresh"
