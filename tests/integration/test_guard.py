"""guard: two ways to one schema, in scratch databases, and nothing left behind.

What is left is looked for in three places: databases on the server, processes, and folders in a TMPDIR
that is the test's own.
"""
from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from tests.integration.test_acme import HEAD as ACME_HEAD
from tests.integration.test_origin import BROKEN_ENVS
from tests.lib.agent import Result
from tests.lib.case import ACME, Case
from tests.lib.processes import READY_SECONDS, folder_in_memory, other_postgres
from tests.lib.project import HEAD, URL_VARIABLE, Project
from tests.lib.servers import Postgres, plain_environment, quote_name, wait_until

UPGRADE = ["alembic", "upgrade", "heads"]
GUARD_SECONDS = 300.0
SAME = """\
CREATE TABLE orgs (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE users (id bigint PRIMARY KEY, org bigint, mail text);
"""
OFFLINE_OR_ONLINE = """\
import os
from alembic import context
from sqlalchemy import create_engine, text
class models:
    URL = os.environ.get("DATABASE_URL", "").replace("postgresql://", "postgresql+psycopg://")
    metadata = None
if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    {online}
"""
GUARD_ENV = {"SERVER_URL": {**URL_VARIABLE, "expose": "agent", "required": False}}


class Guarded(Project):
    """A project both of whose ways give one schema, and a server for scratch databases. `starts_alembic`:
    each `alembic` is a process of its own."""

    def __init__(self, case: Case, server: Optional[Postgres] = None, starts_alembic: bool = False,
                 **database: Any) -> None:
        super().__init__(case)
        self.folder.write("schema.sql", SAME)
        self.server = server
        self.temporary = Path(tempfile.mkdtemp(prefix="ag", dir=folder_in_memory()))
        self.temporary.chmod(0o755)
        case.defer(lambda: shutil.rmtree(self.temporary))
        self.env: Dict[str, str] = {"TMPDIR": str(self.temporary)}
        if not starts_alembic:
            self.env["PATH"] = case.alembic_path
        if server:
            self.env["SERVER_URL"] = server.url("postgres")
        self.write(**database)

    def write(self, guard: Optional[Mapping[str, Any]] = None, **database: Any) -> None:
        """Write the contract anew."""
        place = {"server": "SERVER_URL"} if self.server else {"ephemeral": True}
        self.database_contract(variables=GUARD_ENV, migrate=database.pop("migrate", UPGRADE),
                               sections={"guard": {**place, **(guard or {})}}, **database)

    def guard(self, *args: str, **env: str) -> Result:
        """Run agent guard, whatever comes of it; nothing of it may be left then."""
        result = self.case.agent("guard", *args, env={**self.env, **env}, seconds=GUARD_SECONDS)
        self.assert_nothing_left()
        return result

    def report(self, code: int, *args: str, **env: str) -> Any:
        """The same, as JSON."""
        return self.guard("--json", *args, **env).expect(code).json()

    def scratch(self) -> List[str]:
        """The scratch databases on the server."""
        assert self.server
        return [row[0] for row in self.server.sql(
            "SELECT datname FROM pg_database WHERE datname LIKE 'agent\\_guard\\_%' ORDER BY 1")]

    def processes(self) -> List[str]:
        """The command lines of what was started in our folders, and is still there."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                where = os.readlink(entry / "cwd")
            except OSError:
                continue  # it has ended meanwhile
            if str(self.temporary) in line + where or where == str(self.path):
                found.append(line)
        return found

    def assert_nothing_left(self) -> None:
        """No folder, no process; on a server of the test's own no database."""
        assert list(self.temporary.iterdir()) == [], list(self.temporary.iterdir())
        assert self.processes() == [], self.processes()
        if self.server:
            assert self.scratch() == [], self.scratch()


def own_server(case: Case) -> Postgres:
    """A server on which every scratch database is this test's."""
    return case.server_of_its_own()


# ---- equal ------------------------------------------------------------------------------------------


def copy_of_acme(case: Case) -> Path:
    """The example, to be changed."""
    folder = case.folder.path / "acme"
    shutil.copytree(ACME, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def guard_acme(case: Case, folder: Path, *args: str, **env: str) -> Result:
    """Run guard there, in the developer's profile."""
    return case.agent("guard", "--profile", "dev", *args, cwd=folder,
                      env={"PATH": case.alembic_path, **env}, seconds=GUARD_SECONDS)


def test_the_example_is_equal_on_a_throwaway_server(case: Case) -> None:
    each_its_own = plain_environment(case.folder.path)["PATH"]  # as it is outside of the tests
    report = guard_acme(case, ACME, "--ephemeral", "--json", PATH=each_its_own).expect(0).json()
    assert report["ok"] and report["differences"] == [], report
    assert report["stamp"] == {"a": [ACME_HEAD], "b": [ACME_HEAD]}, report
    assert report["idempotent"] == {"a": True, "b": True}, report
    assert {one["name"]: one["ok"] for one in report["also"]} == {
        "project's stamp": True, "offline SQL": True}, report


def test_the_example_is_equal_on_a_server(case: Case) -> None:
    server = own_server(case)
    server.sql("CREATE ROLE acme_owner NOLOGIN")
    before = server.sql("SELECT datname FROM pg_database ORDER BY 1")
    done = guard_acme(case, ACME, "--server", "DATABASE_URL", DATABASE_URL=server.url("postgres"))
    assert "equal" in done.expect(0).stdout, done
    assert server.sql("SELECT datname FROM pg_database ORDER BY 1") == before


def test_a_difference_is_found_with_its_revision(case: Case) -> None:
    folder = copy_of_acme(case)
    tags = folder / "alembic/versions/20240521_27ce8460ab9f_tags.py"
    tags.write_text(tags.read_text().replace('sa.String(50), nullable=False),',
                                             'sa.String(51), nullable=False),', 1))
    report = guard_acme(case, folder, "--ephemeral", "--json").expect(1).json()
    found = [one for one in report["differences"] if one["class"] == "semantic"]
    assert [(one["kind"], one["object"]) for one in found] == [("column", "public.tags.name")], found
    assert "(51)" in found[0]["a"] and "(50)" in found[0]["b"], found
    assert found[0]["revision"] == "27ce8460ab9f", found
    assert report["ok"] is False and report["paths"]["a"]["ok"] and report["paths"]["b"]["ok"], report


def test_one_path_after_the_other_comes_to_the_same(case: Case) -> None:
    assert Guarded(case, own_server(case)).report(0, "--jobs", "1")["differences"] == []


def test_each_form_of_create_is_a_path(case: Case) -> None:
    project = Guarded(case, own_server(case))
    for create in ({"emit": ["cat", "schema.sql"]}, {"command": ["python3", "init_db.py"]}):
        project.folder.write("init_db.py", f"""
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute({SAME!r})
""")
        project.write(create=create, expect=["users"])
        assert project.report(0)["differences"] == []


# ---- different -----------------------------------------------------------------------------------------


def different(case: Case) -> Guarded:
    """A project whose schema.sql lacks a NOT NULL and has a comment more."""
    project = Guarded(case, own_server(case))
    project.folder.write("schema.sql", SAME.replace(" NOT NULL", "") +
                         "COMMENT ON TABLE users IS 'people';\n")
    return project


def test_a_known_difference_is_ignored_until_its_day(case: Case) -> None:
    project = different(case)
    known = {"kind": "column", "object": "public.orgs.*", "until": "2999-12-31", "why": "known"}
    project.write(guard={"ignore": [known]})
    report = project.report(0)
    assert [one["ignored"] for one in report["differences"] if one["class"] == "semantic"] == [True]
    project.write(guard={"ignore": [{**known, "until": "2020-01-01"}]})
    report = project.report(1)
    assert [one["ignored"] for one in report["differences"] if one["class"] == "semantic"] == [False]


def test_strict_fails_on_a_comment_too(case: Case) -> None:
    project = Guarded(case, own_server(case))
    project.folder.write("schema.sql", SAME + "COMMENT ON TABLE users IS 'people';\n")
    assert [one["class"] for one in project.report(0)["differences"]] == ["cosmetic"]
    assert project.report(1, "--strict")["ok"] is False


def test_every_format_says_what_differs(case: Case) -> None:
    project = different(case)
    for form, part in (("text", "public.orgs.name"), ("sarif", "public.orgs.name"),
                       ("github", "::error"), ("html", "public.orgs.name")):
        done = project.guard("--format", form).expect(1)
        assert part in done.stdout, done
    done = project.guard("--format", "html", "-o", "report.html").expect(1)
    assert done.stdout == "" and "<html" in (project.path / "report.html").read_text()


# ---- the lost stamp --------------------------------------------------------------------------------------


def also(report: Any, name: str) -> Any:
    """What was proved besides the two paths, by its name."""
    return {one["name"]: one for one in report["also"]}[name]


def test_each_broken_env_py_is_caught(case: Case) -> None:
    project = Guarded(case, own_server(case))
    for what, online in BROKEN_ENVS.items():
        case.say(f"env.py has {what}")
        project.folder.write("migrations/env.py",
                             OFFLINE_OR_ONLINE.format(online=online.strip().replace("\n", "\n    ")))
        report = project.report(1)
        path = report["paths"]["a"]
        assert path["ok"] is False and "empty" in path["error"], report
        assert "rolled back" in path["error"], report
        stamp = also(report, "project's stamp")
        assert stamp["ok"] is False and "rolled back" in stamp["error"], stamp
        assert report["paths"]["b"]["ok"], report  # agent's own stamp does not hang on env.py


STAMPS = {
    "connect": (False, "with engine.connect() as c:\n    c.execute(text(VERSION))\n"
                       "    c.execute(text(INSERT))\n"),
    "the row in connect": (False, "with engine.begin() as c:\n    c.execute(text(VERSION))\n"
                                  "with engine.connect() as c:\n    c.execute(text(INSERT))\n"),
    "connect and commit": (True, "with engine.connect() as c:\n    c.execute(text(VERSION))\n"
                                 "    c.execute(text(INSERT))\n    c.commit()\n"),
    "a context in connect": (False, "with engine.connect() as c:\n"
                                    "    MigrationContext.configure(c).stamp(scripts, 'head')\n"),
    "a context in begin": (True, "with engine.begin() as c:\n"
                                 "    MigrationContext.configure(c).stamp(scripts, 'head')\n"),
    "a statement first": (False, "with engine.connect() as c:\n    c.execute(text('SELECT 1'))\n"
                                 "    context = MigrationContext.configure(c)\n"
                                 "    with context.begin_transaction():\n"
                                 "        context.stamp(scripts, 'head')\n"),
    "another revision": (False, "with engine.begin() as c:\n    c.execute(text(VERSION))\n"
                                "    c.execute(text(INSERT.replace('b2', 'a1')))\n"),
}
STAMP_SCRIPT = f"""
import os
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"))
VERSION = ("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
           "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))")
INSERT = "INSERT INTO alembic_version VALUES ('{HEAD}')"
scripts = ScriptDirectory("migrations")
"""


def test_each_way_to_lose_a_stamp_in_a_script_is_caught(case: Case) -> None:
    project = Guarded(case, own_server(case))
    project.write(guard={"stamp": ["python3", "stamp.py"]})
    for what, (kept, script) in STAMPS.items():
        case.say(f"stamp.py has {what}")
        project.folder.write("stamp.py", STAMP_SCRIPT + script)
        report = project.report(0 if kept else 1)
        assert also(report, "project's stamp")["ok"] is kept, report


# ---- paths that fail ----------------------------------------------------------------------------------------


def test_a_path_that_fails_shows_what_it_said_and_no_secret(case: Case) -> None:
    project = Guarded(case, own_server(case))
    token = case.canaries.new("token")
    project.database_contract(
        variables={**GUARD_ENV, "TOKEN": {"secret": True, "source": "env"}}, env=["TOKEN"],
        migrate=["sh", "-c", 'echo "url $DATABASE_URL token $TOKEN"; echo broken by design >&2; exit 3'],
        sections={"guard": {"server": "SERVER_URL"}})
    done = project.guard(TOKEN=token).expect(1)
    assert "broken by design" in done.stdout and "***" in done.stdout, done
    report = project.report(1, TOKEN=token)
    assert "exited with 3" in report["paths"]["a"]["error"], report
    assert "broken by design" in report["paths"]["a"]["output"], report
    assert "migrate again" in report["paths"]["b"]["error"], report


def test_a_path_that_goes_elsewhere_did_not_use_its_url(case: Case) -> None:
    project = Guarded(case, own_server(case), migrate=["true"])
    error = project.report(1)["paths"]["a"]["error"]
    assert "did not use DATABASE_URL" in error, error


def test_a_path_that_hangs_is_ended_with_all_that_it_started(case: Case) -> None:
    project = Guarded(case, own_server(case), migrate=["sh", "-c", "sleep 1000 & sleep 1000; true"])
    report = project.report(1, "--timeout", "15s")
    assert "ran out of time" in report["paths"]["a"]["error"], report


def test_a_second_migrate_that_does_something_is_found(case: Case) -> None:
    project = Guarded(case, own_server(case))
    project.folder.write("migrate.sh", """
alembic upgrade heads && python3 -c '
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as c:
    c.execute("ALTER TABLE users ADD IF NOT EXISTS a int" if not c.execute(
        "SELECT 1 FROM information_schema.columns WHERE column_name = $$a$$").fetchone()
        else "ALTER TABLE users ADD b int")
'""")
    project.write(migrate=["sh", "migrate.sh"])
    report = project.report(1)
    assert report["idempotent"]["a"] is False, report
    assert "public.users.b" in report["paths"]["a"]["error"], report


def test_a_session_that_a_path_leaves_open_is_no_obstacle(case: Case) -> None:
    project = Guarded(case, own_server(case))
    project.folder.write("migrate.sh", """
alembic upgrade heads
setsid -f python3 -c '
import os, psycopg, time
c = psycopg.connect(os.environ["DATABASE_URL"])
c.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
open("locked-" + c.info.dbname, "w").close()
try:
    for _ in range(600):
        time.sleep(0.1); c.execute("SELECT 1")
except psycopg.Error:
    pass
' >/dev/null 2>&1
while [ -z "$(ls | grep ^locked-)" ]; do sleep 0.05; done
""")
    project.write(migrate=["sh", "migrate.sh"])
    done = project.case.agent("guard", "--json", "--timeout", "60s", env=project.env,
                              seconds=GUARD_SECONDS)
    assert done.code in (0, 1) and project.scratch() == [], done
    wait_until(lambda: not project.processes(), "the session that was left open ends")


# ---- no place ------------------------------------------------------------------------------------------------


def test_no_right_to_make_databases_names_the_two_ways_out(case: Case) -> None:
    project = Guarded(case, own_server(case))
    assert project.server
    poor = project.server.role()
    case.canaries.add("poor role's password", poor.password)
    url = project.server.url("postgres", user=poor.name, password=poor.password)
    error = project.report(6, SERVER_URL=url)["error"]
    assert "permission denied to create database" in error["message"], error
    assert "CREATEDB" in error["hint"] and "--ephemeral" in error["hint"], error


def test_no_place_at_all_is_a_wrong_call(case: Case) -> None:
    project = Guarded(case)
    project.database_contract(migrate=UPGRADE)
    error = project.report(2)["error"]
    assert "--ephemeral" in error["hint"] and "--server" in error["hint"], error
    project.write()
    assert "no variable" in project.report(2, "--server", "SERVER_ULR")["error"]["message"]
    assert project.report(2, "--server", "SERVER_URL", "--ephemeral")["error"]["code"] == 2


def test_a_refused_profile_is_a_wrong_call(case: Case) -> None:
    project = Guarded(case)
    project.contract({"DATABASE_URL": URL_VARIABLE, "ROLE": {"source": "env"}},
                     profile={"var": "ROLE", "values": ["dev", "prod"]},
                     database={"url": "DATABASE_URL", "create": {"sql": ["schema.sql"]},
                               "migrate": UPGRADE, "stamp": {"alembic": "alembic.ini"}},
                     guard={"ephemeral": True})
    error = project.report(2, "--profile", "prod")["error"]
    assert "refuse_profiles" in error["message"], error
    project.report(0, "--profile", "dev")


def test_without_a_server_installed_the_package_is_named(case: Case) -> None:
    if os.geteuid() != 0:
        case.skip("hiding the installed server takes root")
    if other_postgres():
        case.skip("AGENT_TEST_POSTGRES is found in PATH")
    project = Guarded(case)
    hide = "mount -t tmpfs none /usr/lib/postgresql && exec \"$@\""
    probe = subprocess.run(["unshare", "-m", "sh", "-c", hide, "sh", "true"], capture_output=True)
    if probe.returncode != 0:
        case.skip("no mount namespace may be made here")
    agent = str(case.make_agent().binary)
    done = case.tool("unshare", "-m", "sh", "-c", hide, "sh", agent, "guard", env=project.env,
                     cwd=project.path).expect(2)
    assert "initdb" in done.stderr and "postgresql" in done.stderr, done
    assert "--server" in done.stderr, done
    project.assert_nothing_left()


def test_a_full_disk_is_said_with_its_folder(case: Case) -> None:
    if os.geteuid() != 0:
        case.skip("a small file system takes root")
    project = Guarded(case, starts_alembic=True)
    small = "mount -t tmpfs -o size=8m,mode=755 none \"$TMPDIR\" && exec \"$@\""
    probe = subprocess.run(["unshare", "-m", "sh", "-c", small, "sh", "true"], capture_output=True,
                           env={**os.environ, **project.env})
    if probe.returncode != 0:
        case.skip("no mount namespace may be made here")
    agent = str(case.make_agent().binary)
    done = case.tool("unshare", "-m", "sh", "-c", small, "sh", agent, "guard", env=project.env,
                     cwd=project.path).expect(9)
    assert "No space left on device" in done.stderr and "TMPDIR" in done.stderr, done
    project.assert_nothing_left()


# ---- signals, and what a killed run leaves ------------------------------------------------------------------


def stop_in_the_middle(case: Case, project: Guarded, number: int, after: float) -> Result:
    """Start guard, and send it a signal after so many seconds."""
    running = case.make_agent().start("guard", "--json", env=project.env)
    time.sleep(after)
    if not running.ended():
        running.signal(number)
    return running.wait(GUARD_SECONDS)


def test_a_signal_ends_it_with_nothing_left(case: Case) -> None:
    for server in (None, own_server(case)):
        project = Guarded(case, server, migrate=["sh", "-c", "sleep 1000 & sleep 1000; true"])
        for number in (signal.SIGINT, signal.SIGTERM):
            for after in (0.1, 1.0, 4.0):
                done = stop_in_the_middle(case, project, number, after)
                assert done.code in (128 + number, -number), done  # -number: before it was watched for
                if done.code > 0:
                    assert done.json()["error"]["kind"] == "stopped", done
                project.assert_nothing_left()


def test_what_a_killed_run_left_is_said_and_left_alone(case: Case) -> None:
    project = Guarded(case, own_server(case), migrate=["sh", "-c", "touch begun; sleep 1000"])
    assert project.server
    running = case.make_agent().start("guard", env=project.env)
    wait_until(lambda: (project.path / "begun").exists(), "the path has begun")
    running.signal(signal.SIGKILL)
    running.wait(GUARD_SECONDS)
    wait_until(lambda: not project.processes(), "its commands end with it")
    wait_until(lambda: project.server.value(  # a database that is being made appears at the end
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'agent'") == "0",
        "the server has seen its end")
    left = project.scratch()
    assert left, "nothing was left by a killed run"
    project.write()
    report = case.agent("guard", "--json", env=project.env, seconds=GUARD_SECONDS).expect(0).json()
    assert report["leftovers"] == [f"database '{name}'" for name in left], report
    assert project.scratch() == left
    for name in left:
        project.server.sql(f"DROP DATABASE {quote_name(name)}")


def test_a_folder_that_a_killed_run_left_is_said(case: Case) -> None:
    project = Guarded(case, migrate=["sh", "-c", "touch begun; sleep 1000"])
    running = case.make_agent().start("guard", env=project.env)
    wait_until(lambda: (project.path / "begun").exists(), "the path has begun")
    running.signal(signal.SIGKILL)
    running.wait(GUARD_SECONDS)
    # PostgreSQL's own patience: a CREATE DATABASE whose server is gone looks a minute for its checkpointer.
    wait_until(lambda: not project.processes(), "the server and its commands end with it",
               seconds=2 * READY_SECONDS)
    (left,) = project.temporary.iterdir()
    project.write()
    report = case.agent("guard", "--json", env=project.env, seconds=GUARD_SECONDS).expect(0).json()
    assert report["leftovers"] == [f"folder '{left}'"], report
    shutil.rmtree(left)
    project.assert_nothing_left()


# ---- it can fail -----------------------------------------------------------------------------------------------


def test_the_selftest_finds_every_planted_difference(case: Case) -> None:
    done = Guarded(case, own_server(case)).guard("--selftest").expect(0)
    assert "NOT FOUND" not in done.stdout and "planted differences were found" in done.stdout, done


def test_the_selftest_fails_where_everything_is_ignored(case: Case) -> None:
    project = Guarded(case, own_server(case))
    project.write(guard={"ignore": [
        {"kind": "column", "object": "*", "until": "2999-12-31", "why": "too much"}]})
    done = project.guard("--selftest", "--json").expect(1).json()
    assert done["ok"] is False and "a column" in done["error"]["message"], done
    assert "IGNORED" in done["selftest"], done


# ---- the stairway -----------------------------------------------------------------------------------------------


DOWN = {"a1": "DROP TABLE orgs", "b2": "DROP TABLE users"}


def with_downgrades(project: Guarded) -> None:
    """Revisions that can be undone."""
    for revision, sql in DOWN.items():
        path = project.path / f"migrations/versions/{revision}.py"
        path.write_text(path.read_text().replace("    pass\n", f'    op.execute("{sql}")\n'))


def test_the_stairway_goes_each_step_down_and_up(case: Case) -> None:
    project = Guarded(case, own_server(case))
    with_downgrades(project)
    assert also(project.report(0, "--stairway"), "stairway")["ok"] is True


def test_the_stairway_finds_a_downgrade_that_leaves_something(case: Case) -> None:
    project = Guarded(case, own_server(case))
    with_downgrades(project)
    DOWN_B2 = project.path / "migrations/versions/b2.py"
    DOWN_B2.write_text(DOWN_B2.read_text().replace("DROP TABLE users", "ALTER TABLE users DROP mail"))
    stairs = also(project.report(1, "--stairway"), "stairway")
    assert stairs["ok"] is False and "'b2'" in stairs["error"], stairs
    assert "public.users" in stairs["error"], stairs


def test_each_records_what_a_revision_does(case: Case) -> None:
    project = Guarded(case, own_server(case))
    project.revision("c3", "b2", "mail is needed", "ALTER TABLE users ALTER mail SET NOT NULL")
    project.folder.write("schema.sql", SAME.replace("mail text", "mail text NOT NULL"))
    folder = project.path / "effects"
    assert also(project.report(0, "--each", str(folder)), "each revision")["ok"] is True
    assert sorted(path.name for path in folder.iterdir()) == [
        "001_a1.jsonl", "002_b2.jsonl", "003_c3.jsonl"]
    (last,) = [json.loads(line) for line in (folder / "003_c3.jsonl").read_text().splitlines()]
    assert (last["revision"], last["change"], last["kind"], last["object"]) == (
        "c3", "changed", "column", "public.users.mail"), last
    assert "not null" in last["after"] and "not null" not in last["before"], last
    first = [json.loads(line) for line in (folder / "001_a1.jsonl").read_text().splitlines()]
    assert {one["change"] for one in first} == {"added"}, first
    assert "public.orgs" in [one["object"] for one in first], first


# ---- adopt ------------------------------------------------------------------------------------------------------


class Adoptable(Guarded):
    """A database that has the schema, and no stamp."""

    def __init__(self, case: Case, schema: str = SAME) -> None:
        super().__init__(case, own_server(case), expect=["users", "orgs"])
        assert self.server
        self.database = case.database(self.server)
        self.env["DATABASE_URL"] = self.database.url()
        self.sql(schema)

    def sql(self, text: str) -> None:
        """Run SQL as the login that the contract names."""
        self.database.sql(f"SET ROLE {quote_name(self.database.owner.name)};\n{text}")

    def adopt(self, code: int, *args: str) -> Any:
        """Run bootstrap --adopt; the document."""
        done = self.case.agent("bootstrap", "--adopt", "--json", *args, env=self.env,
                               seconds=GUARD_SECONDS)
        self.assert_nothing_left()
        return done.expect(code).json()

    def state(self) -> str:
        """What verify calls it."""
        state: str = self.case.agent("verify", "--json", env=self.env).json()["state"]
        return state


EMPTY_VERSION = ("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
                 "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));\n")


def test_adopt_stamps_what_is_proved_equal(case: Case) -> None:
    for state, more in (("unstamped", ""), ("lost-stamp", EMPTY_VERSION)):
        project = Adoptable(case, SAME + more)
        assert project.state() == state
        made = project.adopt(0)
        assert made["state"] == "current" and made["state_before"] == state, made
        assert made["verified"] and made["stamped"] == [HEAD], made
        assert project.state() == "current"
        assert project.adopt(0)["state_before"] == "current"


def test_rights_on_what_the_server_has_brought_are_no_obstacle(case: Case) -> None:
    project = Adoptable(case, SAME + "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) FROM PUBLIC;")
    made = project.adopt(0)
    assert made["state"] == "current" and made["stamped"] == [HEAD], made


def test_adopt_leaves_alone_what_differs_and_says_what(case: Case) -> None:
    project = Adoptable(case, SAME.replace(" NOT NULL", ""))
    refused = project.adopt(1)
    found = [one for one in refused["differences"] if one["class"] == "semantic"]
    assert [one["object"] for one in found] == ["public.orgs.name"], refused
    assert "not stamped" in refused["error"]["message"], refused
    assert project.state() == "unstamped"
    text = case.agent("bootstrap", "--adopt", env=project.env, seconds=GUARD_SECONDS).expect(1)
    assert "public.orgs.name" in text.stdout and "not stamped" in text.stderr, text


def test_trust_stamps_without_comparing(case: Case) -> None:
    project = Adoptable(case, SAME.replace(" NOT NULL", ""))
    assert project.adopt(0, "--trust")["stamped"] == [HEAD]


def test_trust_wants_the_expected_tables(case: Case) -> None:
    project = Adoptable(case, "CREATE TABLE orgs (id int);")
    assert "users" in project.adopt(6, "--trust")["error"]["message"]
    assert project.state() == "unstamped"
    project.write(expect=None)
    assert "expect" in project.adopt(2, "--trust")["error"]["message"]


def test_adopt_refuses_every_other_state(case: Case) -> None:
    project = Adoptable(case, "")
    assert project.state() == "fresh"
    assert project.adopt(6)["state"] == "fresh"
    project.sql(SAME + EMPTY_VERSION + "INSERT INTO alembic_version VALUES ('a1');")
    assert project.adopt(6)["state"] == "behind"


def test_trust_without_adopt_is_a_wrong_call(case: Case) -> None:
    project = Adoptable(case)
    done = case.agent("bootstrap", "--trust", env=project.env).expect(2)
    assert "--adopt" in done.stderr, done
