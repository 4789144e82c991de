"""guard where something is wrong around it: a pooler, a server that breaks, revisions that are none."""
from __future__ import annotations

import os
import subprocess
from typing import Dict, List, Tuple

from tests.integration.test_guard import (GUARD_SECONDS, SAME, UPGRADE, Adoptable, Guarded, also,
                                          copy_of_acme, guard_acme, own_server)
from tests.lib.case import Case
from tests.lib.cutter import DOWN, UP, Cutter
from tests.lib.postgres import server_user
from tests.lib.processes import Program, free_port, listening, plain_environment, wait_until
from tests.lib.project import URL_VARIABLE
from tests.lib.servers import quote_name

LONG = bool(os.environ.get("AGENT_LONG"))
CUTS_OF_A_SLICE = 3

# ---- revisions that are none ------------------------------------------------------------------------------

BROKEN_REVISIONS: Dict[str, Tuple[str, str, str]] = {  # what: file, its text, what is said
    "a parent that is not there": (
        "c3.py", "revision = 'c3'\ndown_revision = 'nosuch'\n", "nosuch"),
    "itself for a parent": ("c3.py", "revision = 'c3'\ndown_revision = 'c3'\n", "c3"),
    "an id that is taken": ("b2_again.py", "revision = 'b2'\ndown_revision = 'a1'\n", "b2"),
    "an id that is computed": (
        "c3.py", "import os\nrevision = os.path.basename(__file__)\ndown_revision = 'b2'\n", "c3.py"),
    "no id": ("other.py", "down_revision = 'b2'\n", "other.py"),
    "no parent's name": ("other.py", "revision = 'c3'\n", "other.py"),
    "an open string": ("other.py", "revision = 'c3\n", "other.py"),
}


def test_a_revision_folder_with_each_defect_is_a_wrong_call(case: Case) -> None:
    project = Guarded(case, own_server(case))
    for what, (name, text, said) in BROKEN_REVISIONS.items():
        case.say(f"a revision has {what}")
        path = project.folder.write(f"migrations/versions/{name}", text)
        error = project.report(2)["error"]
        assert said in error["message"], error
        assert error.get("file") or name in error["message"], error
        path.unlink()
    empty = project.path / "migrations/versions"
    for path in empty.glob("*.py"):
        path.unlink()
    assert project.report(1)["paths"]["a"]["error"]


# ---- a server that is not what was hoped for ------------------------------------------------------------------


def pooler(case: Case, project: Guarded) -> str:
    """PgBouncer before the server, for every database; gives a URL through it."""
    assert project.server
    port, owner = free_port(), project.server.role(options="LOGIN CREATEDB")
    case.canaries.add("the pooled role's password", owner.password)
    case.folder.path.chmod(0o755)
    case.folder.write("users.txt", f'"{owner.name}" "{owner.password}"\n')
    settings = case.folder.write("pgbouncer.ini", f"""[databases]
* = host=127.0.0.1 port={project.server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {case.folder / 'users.txt'}
pool_mode = transaction
ignore_startup_parameters = extra_float_digits,options
""")
    log = case.folder.write("pgbouncer.log", "", 0o666)
    program = Program(["pgbouncer", str(settings)], log, plain_environment(case.folder.path),
                      user=server_user())
    case.defer(program.stop)
    wait_until(lambda: listening(port), "pgbouncer", program)
    return project.server.url("postgres", user=owner.name, password=owner.password, port=port)


def test_a_pooler_before_the_server_is_named(case: Case) -> None:
    project = Guarded(case, own_server(case))
    error = project.report(6, SERVER_URL=pooler(case, project))["error"]
    assert "pooler" in error["message"] and error["kind"] == "database-refused", error
    assert "direct address" in error["hint"] and "--ephemeral" in error["hint"], error


def test_another_locale_than_the_databases_own_is_said(case: Case) -> None:
    project = Adoptable(case)
    assert project.server
    name, owner = "in_another_locale", project.database.owner
    project.server.sql(f"CREATE DATABASE {name} OWNER {quote_name(owner.name)} TEMPLATE template0 "
                       "LC_COLLATE 'C' LC_CTYPE 'C'")
    project.server.sql(f"SET ROLE {quote_name(owner.name)};\n{SAME}", name)
    url = project.server.url(name, user=owner.name, password=owner.password)
    done = case.agent("bootstrap", "--adopt", env={**project.env, "DATABASE_URL": url},
                      seconds=GUARD_SECONDS).expect(0)
    assert "the two servers differ" in done.stderr and "C.UTF-8" in done.stderr, done


KILL_THE_SERVER = """
alembic upgrade heads
folder=$(printf %s "$DATABASE_URL" | sed 's/.*host=//; s/&.*//; s/%2F/\\//g')
kill -9 "$(head -n 1 "$folder/data/postmaster.pid")"
sleep 0.3
"""


def test_a_server_that_dies_in_the_middle_is_named(case: Case) -> None:
    if os.geteuid() != 0:
        case.say("the server runs as we do")
    project = Guarded(case, migrate=["sh", "migrate.sh"])
    project.folder.write("migrate.sh", KILL_THE_SERVER)
    done = project.guard("--json")
    assert done.code in (1, 5, 9), done
    said = done.json()
    message = said["error"]["message"] if "error" in said else said["paths"]["a"]["error"]
    assert "server" in message or "connection" in message, said


FILL = "CREATE TABLE much AS SELECT i, repeat('x', 900) AS x FROM generate_series(1, 400000) i"


def test_a_disk_that_fills_up_in_the_middle_is_said(case: Case) -> None:
    if os.geteuid() != 0:
        case.skip("a small file system takes root")
    project = Guarded(case, starts_alembic=True)  # in a namespace of its own
    project.revision("c3", "b2", "much", FILL)
    small = "mount -t tmpfs -o size=150m,mode=755 none \"$TMPDIR\" && exec \"$@\""
    probe = subprocess.run(["unshare", "-m", "sh", "-c", small, "sh", "true"], capture_output=True,
                           env={**os.environ, **project.env})
    if probe.returncode != 0:
        case.skip("no mount namespace may be made here")
    agent = str(case.make_agent().binary)
    done = case.tool("unshare", "-m", "sh", "-c", small, "sh", agent, "guard", "--jobs", "1",
                     env=project.env, cwd=project.path, seconds=GUARD_SECONDS)
    assert done.code in (1, 5, 9), done
    assert any(words in done.stdout + done.stderr for words in (
        "No space left on device", "could not extend file")), done
    project.assert_nothing_left()


# ---- a connection that breaks -----------------------------------------------------------------------------------


def cuts(total: Dict[str, int]) -> List[Tuple[str, int]]:
    """Where to cut: every message, or a few from start to end."""
    found: List[Tuple[str, int]] = []
    for direction in (UP, DOWN):
        count = total[direction]
        places = range(1, count + 1) if LONG else {
            1 + (count - 1) * i // (CUTS_OF_A_SLICE - 1) for i in range(CUTS_OF_A_SLICE)}
        found += [(direction, place) for place in sorted(places)]
    return found


def test_a_connection_that_breaks_anywhere_is_named_and_nothing_is_left(case: Case) -> None:
    server = own_server(case)
    project = Guarded(case, server, offline=["cat", "offline.sql"])
    cutter = Cutter(server.port)
    case.defer(cutter.stop)
    env = {"SERVER_URL": server.url("postgres", port=cutter.port)}
    project.folder.write("offline.sql", SAME)
    cutter.begin(None)
    project.report(0, "--jobs", "1", **env)
    for cut in cuts(dict(cutter.counts)):
        case.say(f"cut at {cut}")
        cutter.begin(cut)
        done = project.guard("--json", "--jobs", "1", **env)
        said = done.json()
        if done.code == 0:
            continue  # what was lost was a good-bye, or a look that is repeated
        errors = [said.get("error", {}).get("message"), said.get("paths", {}).get("a", {}).get("error"),
                  said.get("paths", {}).get("b", {}).get("error"),
                  *(one["error"] for one in said.get("also", []))]
        assert any(errors), said


# ---- other projects -----------------------------------------------------------------------------------------------


PLAIN = {"style": "plain", "revision": "2026-11", "table": "schema_version", "schema": "public"}
OWN_MIGRATE = f"""
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as c:
    if not c.execute("SELECT to_regclass('users')").fetchone()[0]:
        c.execute({SAME!r})
"""


def test_a_project_without_alembic_is_guarded_too(case: Case) -> None:
    project = Guarded(case, own_server(case))
    project.folder.write("migrate.py", OWN_MIGRATE)
    project.write(stamp=PLAIN, migrate=["python3", "migrate.py"], expect=["users"])
    report = project.report(0)
    assert report["differences"] == [] and report["idempotent"] == {"a": True, "b": True}, report
    assert report["stamp"]["b"] == ["2026-11"], report
    project.folder.write("schema.sql", SAME.replace("mail text", "mail varchar(9)"))
    found = project.report(1)["differences"]
    assert [one["object"] for one in found] == ["public.users.mail"], found


def with_branches(project: Guarded) -> None:
    """Two bases, a branch of each, and a merge of both."""
    versions = project.path / "migrations/versions"
    for path in versions.glob("*.py"):
        path.unlink()
    tables = {"a1": (None, "orgs"), "b1": (None, "users"), "a2": ("a1", "teams"), "b2": ("b1", "mails"),
              "m3": (("a2", "b2"), "notes"), "c4": ("m3", "last")}
    for revision, (down, table) in tables.items():
        project.revision(revision, None, table, f"CREATE TABLE {table} (id int)")
        path = versions / f"{revision}.py"
        path.write_text(path.read_text().replace("down_revision = None", f"down_revision = {down!r}")
                        .replace("    pass\n", f'    op.execute("DROP TABLE {table}")\n'))
    project.folder.write("schema.sql", "".join(f"CREATE TABLE {table} (id int);\n"
                                               for _, table in tables.values()))


def test_the_stairway_goes_over_several_bases_and_a_merge(case: Case) -> None:
    project = Guarded(case, own_server(case))
    with_branches(project)
    stairs = also(project.report(0, "--stairway"), "stairway")
    assert stairs["ok"] is True, stairs


def test_the_stairway_of_the_example(case: Case) -> None:
    if not LONG:
        case.skip("six minutes; AGENT_LONG=1 takes them")
    done = guard_acme(case, copy_of_acme(case), "--ephemeral", "--stairway", "--json", "--timeout", "1h")
    assert also(done.expect(0).json(), "stairway")["ok"] is True, done


# ---- the catalog as text ------------------------------------------------------------------------------------------


def test_verify_prints_the_schema(case: Case) -> None:
    project = Adoptable(case, SAME + "COMMENT ON TABLE users IS 'people';\n"
                                     "INSERT INTO orgs VALUES (1, 'canary-row');\n")
    done = case.agent("verify", "--schema", env=project.env).expect(0)
    for line in ("table public.orgs\n", "column public.orgs.name\n    text not null\n",
                 "constraint public.users.users_pkey\n    PRIMARY KEY (id)\n", "    -- people\n",
                 "not shown: the rows of tables"):
        assert line in done.stdout, done
    assert "canary-row" not in done.stdout, done
    assert case.agent("verify", "--schema", env=project.env).stdout == done.stdout
    project.sql("ALTER TABLE users DROP mail")
    assert "public.users.mail" not in case.agent("verify", "--schema", env=project.env).stdout


def test_verify_says_why_it_can_print_no_schema(case: Case) -> None:
    project = Adoptable(case)
    assert project.server
    url = project.server.url("nosuch", user=project.database.owner.name,
                             password=project.database.owner.password)
    done = case.agent("verify", "--schema", env={**project.env, "DATABASE_URL": url})
    assert done.code != 0 and "nosuch" in done.stderr and done.stdout == "", done


def test_what_a_command_said_ahead_of_its_turn_is_shown_without_secrets(case: Case) -> None:
    project = Guarded(case, own_server(case))
    token = case.canaries.new("token")
    project.folder.write("emit.sh", 'echo "token $TOKEN" >&2\necho "CREATE TABLE t (i nosuchtype);"\n')
    project.database_contract(
        {"emit": ["sh", "emit.sh"]}, migrate=UPGRADE, env=["TOKEN"],
        variables={"SERVER_URL": {**URL_VARIABLE, "expose": "agent"},
                   "TOKEN": {"secret": True, "source": "env"}},
        sections={"guard": {"server": "SERVER_URL"}})
    path = project.report(1, TOKEN=token)["paths"]["b"]
    assert "nosuchtype" in path["error"], path
    assert "emit.sh" in path["output"] and "token ***" in path["output"], path
