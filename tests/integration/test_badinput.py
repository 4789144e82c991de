"""Bad input, one clause after the other: each is named, has its exit code, changes nothing, shows no secret.

Real servers, misused; a scripted one only where a real one can't be made to misbehave like that.
"""
from __future__ import annotations

import json
import socket
import struct
import threading
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from tests.lib.agent import Result
from tests.lib.case import Case, lacks
from tests.lib.processes import (Program, free_port, listening, plain_environment,
                                 wait_until)
from tests.lib.project import (HEAD, Project, SCHEMA, assert_made, assert_no_lock,
                               assert_untouched)
from tests.lib.servers import Answer, Database, OpenBao, RawServer, ScriptedHttp
from tests.lib.postgres import server_user

SECRET = {"type": "string", "secret": True}
TOKEN = "scripted-token-canary"
CLOSED_PORT = 1


def refused(case: Case, command: Sequence[str], env: Mapping[str, str], code: int,
            words: Sequence[str], kind: Optional[str] = None) -> Dict[str, Any]:
    """Run it: `code`, these words on stderr, no blank text, one document; gives its error."""
    result = case.agent(*command, "--json", env=env).expect(code)
    document = result.json()
    error: Dict[str, Any] = document["error"]
    assert document["ok"] is False and document["version"] == 1, result
    assert error["code"] == code and error["kind"] and error["message"].strip(), result
    assert all(line.strip() for line in result.stderr.splitlines()), result
    assert result.stderr and not lacks(result.stderr, words), (lacks(result.stderr, words), result)
    assert kind in (None, error["kind"]), result
    assert not error["message"].rstrip().endswith(":"), result
    return error


# ---- Vault --------------------------------------------------------------------------------------------


def scripted_vault(case: Case, script: Callable[..., Any]) -> Dict[str, str]:
    """A contract with one secret, and a server that answers by script."""
    return at_address(case, case.scripted(script).address)


def at_address(case: Case, address: str, **vault: Any) -> Dict[str, str]:
    """A contract with one secret of a Vault at that address; gives the environment."""
    case.canaries.add("token", TOKEN)
    Project(case).contract({"X": {**SECRET, "source": "vault:kv/app#x"}},
                           vault={"address": address, "kv": {"kv": 2}, "deadline": "1s",
                                  "timeout": "500ms", **vault})
    return {"VAULT_TOKEN": TOKEN}


def good_answer(value: Any) -> str:
    """What Vault says of kv/app, with this value as the field x."""
    return json.dumps({"data": {"data": {"x": value}, "metadata": {"version": 1}}})


def test_vault_unreachable(case: Case) -> None:
    address = f"http://127.0.0.1:{CLOSED_PORT}"
    refused(case, ["fetch"], at_address(case, address), 3, ["X", address, "refused"], "source-down")
    refused(case, ["check"], at_address(case, "http://no-such-host.invalid:8200", allow_http=True), 3,
            ["no-such-host.invalid"], "source-down")


def test_a_contract_may_want_no_second_attempt(case: Case) -> None:
    env = at_address(case, f"http://127.0.0.1:{CLOSED_PORT}", retries=0)
    assert "attempts" not in refused(case, ["fetch"], env, 3, ["refused"], "source-down")["message"]
    env = at_address(case, f"http://127.0.0.1:{CLOSED_PORT}", retries=1)
    refused(case, ["fetch"], env, 3, ["(2 attempts)"], "source-down")


def test_vault_sealed(case: Case) -> None:
    bao = OpenBao()
    case.defer(bao.remove)
    env = {**at_address(case, bao.address), "VAULT_TOKEN": bao.token}
    bao.seal()
    refused(case, ["fetch"], env, 3, ["X", bao.address, "503", "sealed"], "source-down")


def test_vault_denied_and_missing(case: Case) -> None:
    bao = case.openbao
    mount = bao.kv(2)
    bao.put(f"{mount}/app", {"user": "u", "host": "h"})
    env = {"VAULT_ADDR": bao.address, "VAULT_TOKEN": bao.token}

    def ask(reference: str) -> None:
        Project(case).contract({"X": {**SECRET, "source": reference}})

    ask(f"vault:{mount}/app#user")
    refused(case, ["fetch"], {**env, "VAULT_TOKEN": "not-a-token-at-all"}, 4,
            ["X", f"{mount}/data/app", "403"], "source-denied")
    refused(case, ["fetch"], {"VAULT_ADDR": bao.address}, 4, ["token"])
    ask(f"vault:{mount}/none#x")
    refused(case, ["fetch"], env, 4, ["X", f"{mount}/data/none", "404", "kv list"], "source-missing")
    ask(f"vault:{mount}/app#password")
    refused(case, ["fetch"], env, 4, ["X", f"{mount}/app", "password", "host", "user"],
            "source-missing")
    ask(f"vault:{mount}/app#hots")
    refused(case, ["fetch"], env, 4, ["X", "hots", "Did you mean 'host'?"], "source-missing")
    ask("vault:nowhere/app#x")
    refused(case, ["fetch"], env, 4, ["X", "nowhere/", "secrets list"])
    refused(case, ["fetch"], {**env, "VAULT_ADDR": f"{bao.address}/v1"}, 4, ["needs no /v1 behind it"])
    refused(case, ["fetch"], {**env, "VAULT_NAMESPACE": "no/such"}, 4, ["'no/such'", "namespace list"])
    bao.request("DELETE", f"{mount}/data/app")
    ask(f"vault:{mount}/app#user")
    refused(case, ["fetch"], env, 4, ["X", "deleted"], "source-missing")


def test_vault_answers_garbage(case: Case) -> None:
    rows: List[Tuple[Any, int, List[str]]] = [
        (Answer(200, "<html>It works!</html>"), 4, ["JSON"]),
        (Answer(200, ""), 4, ["X"]),
        (Answer(200, good_answer("s")[:-5]), 4, ["JSON"]),
        (Answer(200, "[1, 2]"), 4, ["X"]),
        (Answer(200, '{"data": "text"}'), 4, ["X"]),
        (Answer(200, "[" * 100_000), 4, ["X"]),
        (Answer(200, good_answer(None)), 4, ["'x'", "null"]),
        (Answer(200, good_answer([1])), 4, ["'x'", "array"]),
        (Answer(200, good_answer(1.5)), 4, ["'x'", "number"]),
        (Answer(200, good_answer("nul\0byte")), 4, ["X"]),
        (Answer(200, good_answer("x" * 5_000_000)), 4, ["4"]),
        (Answer(418, '{"errors": ["\\u001b[31mred"]}'), 4, ["418", "\\x1b[31mred"]),
        (Answer(500, '{"errors": []}'), 3, ["500"]),
        (Answer(503, ""), 3, ["503"]),
        (Answer(429, '{"errors": []}', {"Retry-After": "3600"}), 3, ["429"]),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{", 3, ["X"]),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 3, ["X"]),
        (b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\n", 4, ["X"]),
        (None, 3, ["X"]),
    ]
    for answer, code, words in rows:
        what = answer.body[:60] if isinstance(answer, Answer) else answer and answer[:40]
        case.say(f"-- {what!r}")
        env = scripted_vault(case, lambda _request, a=answer: a)
        if isinstance(answer, Answer) or answer is None:
            refused(case, ["fetch"], env, code, words)
        else:
            result = case.agent("fetch", env=env)
            assert result.code in (3, 4) and not lacks(result.stderr, words), result


def test_vault_that_never_ends(case: Case) -> None:
    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not server.stopping.wait(0.05):
            connection.sendall(b" ")

    def flood(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not server.stopping.is_set():
            connection.sendall(b" " * 65536)

    def silence(connection: socket.socket) -> None:
        server.stopping.wait(30)

    for talk, codes in ((drip, (3,)), (flood, (4,)), (silence, (3,))):
        server = RawServer(talk)
        case.defer(server.stop)
        result = case.agent("fetch", "--json", env=at_address(
            case, f"http://127.0.0.1:{server.port}"), seconds=30)
        assert result.code in codes and result.json()["error"]["message"], result


def test_plain_http_to_elsewhere_is_refused(case: Case) -> None:
    refused(case, ["fetch"], at_address(case, "http://vault.acme.internal:8200"), 2, ["allow_http"])


# ---- the database's server ------------------------------------------------------------------------------


def to_port(port: int, host: str = "127.0.0.1") -> Dict[str, str]:
    """The environment with a URL to a port, with a password that must not be seen."""
    return {"DATABASE_URL": f"postgresql://someone:url-password-canary@{host}:{port}/app"}


def both(case: Case, env: Mapping[str, str], code: int, words: Sequence[str], step: str,
         kind: Optional[str] = None) -> None:
    """verify and bootstrap both refuse; verify names the step."""
    case.canaries.add("password in the URL", "url-password-canary")
    error = refused(case, ["verify"], env, code, words, kind)
    assert error["step"] == step, error
    refused(case, ["bootstrap"], env, code, words, kind)


def short_contract(case: Case, **more: Any) -> None:
    """A database contract that waits for a second only."""
    Project(case).database_contract(**{"wait": "1s", "connect_timeout": "1s", **more})


def test_database_unreachable(case: Case) -> None:
    short_contract(case)
    both(case, to_port(CLOSED_PORT), 5, ["127.0.0.1", str(CLOSED_PORT), "refused"], "connect",
         "database-down")
    both(case, to_port(5432, "no-such-host.invalid"), 5, ["no-such-host.invalid"], "resolve")
    both(case, {"DATABASE_URL": "postgresql://u:url-password-canary@%2Fno%2Fsuch/app"}, 5,
         ["/no/such"], "connect")


def talking(case: Case, talk: Callable[[socket.socket], None]) -> RawServer:
    """A server that says what `talk` says."""
    server = RawServer(talk)
    case.defer(server.stop)
    return server


def error_answer(sqlstate: str, text: str) -> bytes:
    """PostgreSQL's ErrorResponse."""
    fields = b"".join(key + value.encode() + b"\0" for key, value in (
        (b"S", "FATAL"), (b"V", "FATAL"), (b"C", sqlstate), (b"M", text))) + b"\0"
    return b"E" + struct.pack("!i", len(fields) + 4) + fields


def test_servers_that_are_no_postgresql(case: Case) -> None:
    short_contract(case)

    def close_at_once(_connection: socket.socket) -> None:
        pass

    def close_after_reading(connection: socket.socket) -> None:
        connection.recv(4096)

    def http(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    def garbage(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"\xff" * 4096)

    for talk, words in ((close_at_once, ["closed"]), (close_after_reading, ["closed"]),
                        (http, ["PostgreSQL"]), (garbage, ["PostgreSQL"])):
        server = talking(case, talk)
        result = case.agent("verify", "--json", env=to_port(server.port))
        assert result.code in (5, 6), result
        assert not lacks(result.stderr, [str(server.port), *words]), result
        assert result.json()["error"]["step"] in ("connect", "tls", "auth"), result


def test_a_server_that_says_nothing(case: Case) -> None:
    short_contract(case)
    server = talking(case, lambda _connection: server.stopping.wait(30) and None)
    both(case, to_port(server.port), 5, [str(server.port), "did not answer"], "tls")


def test_a_server_that_is_starting_is_waited_for(case: Case) -> None:
    short_contract(case)

    def starting(connection: socket.socket) -> None:
        if connection.recv(8)[4:] == struct.pack("!i", 80877103):  # SSLRequest
            connection.sendall(b"N")
            connection.recv(8)
        connection.recv(4096)
        connection.sendall(error_answer("57P03", "the database system is starting up"))

    server = talking(case, starting)
    error = refused(case, ["bootstrap"], to_port(server.port), 5,
                    ["57P03", "the database system is starting up"], "database-down")
    assert error["sqlstate"] == "57P03" and server.accepted > 1, "it was tried again"
    real = case.server_of_its_own()
    database = case.database(real)
    Project(case).database_contract()
    real.stop()
    started = case.make_agent().start("bootstrap", env={"DATABASE_URL": database.url()})
    threading.Event().wait(2.5)  # what takes longer than two seconds says what it is doing
    assert not started.ended()
    real.start()
    said = started.wait().expect(0)
    assert "the database is not listening yet" in said.stderr, said
    assert_made(database)


def test_a_full_server_is_waited_for(case: Case) -> None:
    server = case.server_of_its_own(options={"max_connections": "5",
                                             "superuser_reserved_connections": "3"})
    database = case.database(server)
    short_contract(case)
    env = {"DATABASE_URL": database.url()}
    holders: List[Program] = []

    def is_full() -> bool:
        # A look of ours takes a place as well, so a holder may be turned away: another tries.
        count = int(server.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
        if count + sum(not holder.ended() for holder in holders) < 4:
            holders.append(Program(
                ["psql", "-X", "-d", database.url(), "-c", "SELECT pg_sleep(60)"],
                case.folder / "holder", plain_environment(case.folder.path)))
            case.defer(holders[-1].stop)
        return count == 2

    wait_until(is_full, "a full server")
    error = refused(case, ["bootstrap"], env, 5, ["53300"], "database-down")
    assert error["sqlstate"] == "53300"
    refused(case, ["verify"], env, 5, ["53300"])
    Project(case).database_contract(wait="20s")
    started = case.make_agent().start("bootstrap", env=env)
    threading.Event().wait(0.3)
    for holder in holders:
        holder.stop()
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    started.wait().expect(0)
    assert_made(database)


def test_wrong_password_and_no_such_database(case: Case) -> None:
    database = case.database()
    short_contract(case)
    wrong = case.canaries.new("the wrong password")
    both(case, {"DATABASE_URL": database.url(password=wrong)}, 6, ["28P01", database.owner.name],
         "auth", "database-refused")
    both(case, {"DATABASE_URL": case.postgres.url("no_such_database", database.owner.name,
                                                  database.owner.password)}, 6,
         ["3D000", "no_such_database"], "database", "database-refused")
    both(case, {"DATABASE_URL": database.url(user="nobody_here")}, 6, ["28P01", "nobody_here"],
         "auth", "database-refused")


def test_urls_that_are_none(case: Case) -> None:
    short_contract(case)
    case.canaries.add("password in the URL", "url-password-canary")
    for url in ("mysql://u:url-password-canary@h/d", "not a url url-password-canary",
                "postgresql://u:url-password-canary@h:99999/d"):
        error = refused(case, ["verify"], {"DATABASE_URL": url}, 1, ["DATABASE_URL"], "violation")
        assert "step" not in error
    refused(case, ["verify"], {}, 1, ["DATABASE_URL", "not set"])
    refused(case, ["bootstrap"], {"DATABASE_URL": ""}, 1, ["DATABASE_URL", "empty"])


def test_a_drivers_name_in_the_scheme_is_accepted(case: Case) -> None:
    database = case.database()
    Project(case).database_contract()
    env = {"DATABASE_URL": database.url(scheme="postgresql+asyncpg")}
    case.agent("bootstrap", env=env).expect(0)
    assert_made(database)
    for scheme in ("postgresql+psycopg", "postgres", "postgresql+asyncpg"):
        case.agent("verify", env={"DATABASE_URL": database.url(scheme=scheme)}).expect(0)
    got = case.agent("run", "--", "sh", "-c", "echo ${DATABASE_URL%%:*}", env=env).expect(0)
    assert got.stdout == "postgresql+asyncpg\n", "the application's driver is kept"


# ---- rights ---------------------------------------------------------------------------------------------


def test_missing_rights_are_told_with_their_grants(case: Case) -> None:
    database, server = case.database(), case.postgres
    role, owner = server.role(), server.role(options="NOLOGIN")
    case.canaries.add("password of the role", role.password)
    env = {"DATABASE_URL": database.url(user=role.name, password=role.password)}
    Project(case).database_contract()
    error = refused(case, ["bootstrap"], env, 6, [role.name, "'public'"], "database-refused")
    assert f'CREATE ON SCHEMA "public" TO "{role.name}"' in error["hint"], error
    assert_untouched(database)
    Project(case).database_contract(owner=owner.name)
    error = refused(case, ["bootstrap"], env, 6, [owner.name, "GRANT"], "database-refused")
    assert f"TO \"{role.name}\"" in error["hint"] or f"TO {role.name}" in error["hint"], error
    Project(case).database_contract(owner="no_such_owner")
    refused(case, ["bootstrap"], env, 6, ["no_such_owner"], "database-refused")
    assert_untouched(database)


def test_an_invisible_schema_is_not_called_fresh(case: Case) -> None:
    database, server = case.database(), case.postgres
    role = server.role()
    database.sql("CREATE SCHEMA hidden; CREATE TABLE hidden.t (n int); "
                 f"GRANT CREATE ON SCHEMA public TO {role.name}")
    Project(case).database_contract()
    env = {"DATABASE_URL": database.url(user=role.name, password=role.password)}
    result = case.agent("verify", "--json", env=env).expect(1)
    assert result.json()["state"] == "invisible", result
    refused(case, ["bootstrap"], env, 6, ["invisible", "hidden", "GRANT USAGE ON SCHEMA"], "state")
    assert database.tables() == ["hidden.t"]


# ---- states ---------------------------------------------------------------------------------------------


def test_every_state_is_named_and_nothing_is_changed(case: Case) -> None:
    rows = {
        "behind": "UPDATE alembic_version SET version_num = 'a1'",
        "unknown-revision": "UPDATE alembic_version SET version_num = 'b3'",
        "lost-stamp": "DELETE FROM alembic_version",
        "unstamped": "DROP TABLE alembic_version",
        "redundant": "INSERT INTO alembic_version VALUES ('a1')",
        "stamp-only": "DROP TABLE users, orgs",
        "incomplete": "DROP TABLE users",
    }
    words = {"behind": ["b2"], "unknown-revision": ["b3"], "incomplete": ["users"]}
    Project(case).database_contract(expect=["users", "orgs"], migrate=["alembic", "upgrade", "heads"])
    for state, change in rows.items():
        database = case.database()
        env = {"DATABASE_URL": database.url()}
        case.agent("bootstrap", env=env).expect(0)
        database.sql(change)
        before = database.dump()
        looked = case.agent("verify", "--json", env=env).expect(1)
        assert looked.json()["state"] == state, looked
        text = case.agent("verify", env=env).expect(1)
        assert not lacks(text.stdout, [state, *words.get(state, [])]), text
        result = case.agent("bootstrap", "--json", env=env).expect(6)
        document = result.json()
        assert document["state"] == state and document["created"] is False, result
        assert document["error"]["kind"] == "state" and document["error"]["hint"], result
        assert state in result.stderr and not lacks(result.stderr, words.get(state, [])), result
        assert without_noise(database.dump()) == without_noise(before)
        assert_no_lock(database)


def without_noise(dump: str) -> List[str]:
    """A dump without the random words of newer versions of pg_dump."""
    return [line for line in dump.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]


def test_behind_is_migrated_when_asked_for(case: Case) -> None:
    database, project = case.database(), Project(case)
    project.database_contract(migrate=["alembic", "upgrade", "heads"])
    env = {"DATABASE_URL": database.url()}
    case.agent("bootstrap", env=env).expect(0)
    project.revision("c3", "b2", "later", "ALTER TABLE users ADD COLUMN later int")
    refused(case, ["bootstrap"], env, 6, ["behind", "alembic upgrade heads"], "state")
    got = case.agent("bootstrap", "--migrate", "--json", env=env).expect(0).json()
    assert got["state"] == "current" and got["stamped"] == ["c3"] and got["created"] is False, got


# ---- the schema file ------------------------------------------------------------------------------------


def schema_rows() -> List[Tuple[str, int, List[str]]]:
    """A schema, the exit code, and what must be said of it."""
    return [
        ("CREATE TABLE a (n int);\nCOMMIT;\n", 2, ["schema.sql:2", "COMMIT"]),
        ("BEGIN;\nCREATE TABLE a (n int);\n", 2, ["schema.sql:1", "BEGIN"]),
        ("CREATE TABLE a (n int);\n\n  ROLLBACK;\n", 2, ["schema.sql:3", "ROLLBACK"]),
        ("CREATE TABLE a (n int);\nVACUUM a;\n", 2, ["schema.sql:2", "VACUUM"]),
        ("CREATE DATABASE x;\n", 2, ["schema.sql:1", "CREATE DATABASE"]),
        ("CREATE TABLE a (n int);\nCREATE INDEX CONCURRENTLY i ON a (n);\n", 2,
         ["schema.sql:2", "CONCURRENTLY"]),
        ("ALTER SYSTEM SET work_mem = '1MB';\n", 2, ["schema.sql:1", "ALTER SYSTEM"]),
        ("CREATE TABLE a (n int);\n\\i other.sql\n", 2, ["schema.sql:2", "\\i"]),
        ("\\set x 1\n", 2, ["schema.sql:1", "\\set"]),
        ("\\! id\n", 2, ["schema.sql:1", "\\!"]),
        ("CREATE TABLE a (n int);\nCREATE TABEL b (n int);\n", 6, ["schema.sql:2", "42601", "TABEL"]),
        ("CREATE TABLE a (n int);\n\nCREATE TABLE b (n no_such_type);\n", 6,
         ["schema.sql:3", "42704", "no_such_type", "nothing was changed"]),
        ("CREATE TABLE a (n int);\nINSERT INTO a\n  VALUES ('x');\n", 6, ["schema.sql:3", "22P02"]),
        ("CREATE TABLE a (n int);\nCREATE TABLE a (n int);\n", 6, ["schema.sql:2", "42P07"]),
        ("SELECT 1;\n", 6, ["made no table"]),
        ("", 2, ["schema.sql"]),
        ("-- nothing but a comment\n", 2, ["schema.sql"]),
        ("CREATE TABLE a (n int);\nCOPY a FROM stdin;\n1\nx\n\\.\n", 6, ["schema.sql", "22P02"]),
        ("CREATE TABLE a (n int);\nCOPY a FROM stdin;\n1\n", 2, ["schema.sql:2"]),
        ("CREATE TABLE a (t text DEFAULT 'never ends);\n", 2, ["schema.sql:1"]),
        ("DO $$ BEGIN RAISE EXCEPTION 'no'; END $$;\n", 6, ["schema.sql:1", "P0001", "no"]),
    ]


def test_schema_files_that_can_not_be_run(case: Case) -> None:
    database, project = case.database(), Project(case)
    project.database_contract()
    env = {"DATABASE_URL": database.url()}
    wrong: List[str] = []
    for text, code, words in schema_rows():
        project.folder.write("schema.sql", text)
        result = case.agent("bootstrap", "--json", env=env)
        missing = lacks(result.stderr, words)
        if result.code != code or missing or not result.json()["error"]["message"].strip():
            wrong.append(f"{text!r}: exit {result.code} (not {code}), lacks {missing}\n"
                         f"{result.stderr}")
        elif "schema.sql:" in words[0]:
            error = result.json()["error"]
            assert error["file"].endswith("schema.sql"), result
            assert error["line"] == int(words[0].partition(":")[2]), result
        assert_untouched(database)
    assert not wrong, "\n".join(wrong)
    (project.path / "schema.sql").unlink()
    refused(case, ["bootstrap"], env, 2, ["schema.sql", "No such file"], "file")
    assert_untouched(database)


def test_what_stands_before_the_error_is_undone_and_the_next_run_is_content(case: Case) -> None:
    database, project = case.database(), Project(case)
    project.database_contract()
    env = {"DATABASE_URL": database.url()}
    project.folder.write("schema.sql", SCHEMA + "SELECT 1/0;\n")
    error = refused(case, ["bootstrap"], env, 6, ["schema.sql:4", "22012", "nothing was changed"], "sql")
    assert error["sqlstate"] == "22012" and error["line"] == 4
    assert_untouched(database)
    project.folder.write("schema.sql", SCHEMA)
    case.agent("bootstrap", env=env).expect(0)
    assert_made(database)


def test_a_created_table_that_is_not_the_expected_one(case: Case) -> None:
    database = case.database()
    Project(case).database_contract(expect=["users", "invoices"])
    refused(case, ["bootstrap"], {"DATABASE_URL": database.url()}, 6, ["invoices"])
    assert_untouched(database)


# ---- emit and command -------------------------------------------------------------------------------------


EMITS: List[Tuple[str, List[str]]] = [
    ("pass", ["nothing"]),
    ("print('-- nothing but a comment')", ["nothing"]),
    ("print('CREATE TABLE users (n int);'); raise SystemExit(3)", ["exited with 3"]),
    ("print('CREATE TABLE users (n int);', flush=True); import os; os.kill(os.getpid(), 9)",
     ["SIGKILL"]),
    ("import sys; print('CREATE TABLE users (n int);'); sys.exit('it broke: ' + 'because')",
     ["exited with 1", "it broke: because"]),
    ("print('CREATE TABLE users (n int, ')", ["emit"]),
    ("print('CREATE TABLE users (n int);'); print('CREATE TABLE x (t text DEFAULT \\'')", ["emit"]),
    ("print('SELECT 1;')", ["made no table"]),
    ("print('CREATE TABLE users (n int);\\nVACUUM;')", ["VACUUM"]),
    ("print('CREATE TABLE users (n int);\\nCREATE TABLE users (n int);')", ["42P07"]),
]


def test_an_emit_that_stops_short_is_never_stamped(case: Case) -> None:
    database, project = case.database(), Project(case)
    wrong: List[str] = []
    for text, words in EMITS:
        project.database_contract({"emit": project.script("emit.py", text)})
        result = case.agent("bootstrap", "--json", env={"DATABASE_URL": database.url()})
        missing = lacks(result.stderr, words)
        if result.code not in (2, 6) or missing:
            wrong.append(f"{text!r}: exit {result.code}, lacks {missing}\n{result.stderr}")
        assert_untouched(database)
    assert not wrong, "\n".join(wrong)
    project.database_contract({"emit": ["no-such-command"]})
    refused(case, ["bootstrap"], {"DATABASE_URL": database.url()}, 6, ["no-such-command"], "command")
    assert_untouched(database)


def test_an_emit_whose_stamp_is_not_the_heads(case: Case) -> None:
    database, project = case.database(), Project(case)
    project.database_contract({"emit": project.script(
        "emit.py", "print('CREATE TABLE users (n int);')\n"
        "print('CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
        "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));')\n"
        "print(\"INSERT INTO alembic_version (version_num) VALUES ('a1');\")")})
    refused(case, ["bootstrap"], {"DATABASE_URL": database.url()}, 6, ["a1", "b2"])
    assert_untouched(database)


def test_alembics_own_sql_is_folded_in(case: Case) -> None:
    database = case.database()
    Project(case).database_contract({"emit": ["alembic", "upgrade", "head", "--sql"]},
                                    expect=["users"])
    got = case.agent("bootstrap", "--json", env={"DATABASE_URL": database.url()}).expect(0).json()
    assert got["created"] is True and got["stamped"] == [HEAD]
    assert_made(database)


def test_a_command_that_fails_half_way_is_told_apart(case: Case) -> None:
    database, project = case.database(), Project(case)
    script = project.script("init.py", "import os, psycopg, sys\n"
                            "with psycopg.connect(os.environ['DATABASE_URL']) as c:\n"
                            "    c.execute('CREATE TABLE users (n int)')\n"
                            "sys.exit(int(os.environ.get('HOW', '0')))\n")
    project.database_contract({"command": script}, expect=["users", "orgs"], env=["HOW"])
    env = {"DATABASE_URL": database.url(), "HOW": "4"}
    refused(case, ["bootstrap"], env, 6, ["exited with 4", "unstamped"])
    assert database.tables() == ["public.users"] and case.agent(
        "verify", "--json", env=env).expect(1).json()["state"] == "unstamped"
    database.sql("DROP TABLE users")
    refused(case, ["bootstrap"], {**env, "HOW": "0"}, 6, ["orgs"])
    assert database.tables() == ["public.users"], "never stamped"
    database.sql("DROP TABLE users")
    project.database_contract({"command": script}, expect=["users"], env=["HOW"])
    got = case.agent("bootstrap", "--json", env={**env, "HOW": "0"}).expect(0).json()
    assert got["created"] is True and database.stamped() == [HEAD]


def test_commands_get_the_databases_url_and_no_credentials_of_vaults(case: Case) -> None:
    database, project = case.database(), Project(case)
    project.database_contract({"emit": project.script(
        "emit.py", "import os\nopen('environment', 'w').write(chr(10).join(sorted(os.environ)))\n"
        "print('CREATE TABLE users (n int);')")}, env=["EXTRA"])
    case.agent("bootstrap", env={"DATABASE_URL": database.url(), "VAULT_TOKEN": "t", "EXTRA": "1",
                                 "VAULT_SECRET_ID": "s", "OTHER": "2"}).expect(0)
    names = set((case.folder / "environment").read_text().split())
    assert names - {"LC_CTYPE"} == {"DATABASE_URL", "PATH", "HOME", "LANG", "EXTRA"}, names


# ---- a pooler in between ------------------------------------------------------------------------------------


def pooler(case: Case, database: Database) -> int:
    """PgBouncer in transaction mode before the database; gives its port."""
    port, user = free_port(), server_user()
    case.folder.path.chmod(0o755)
    owner = database.owner
    case.folder.write("users.txt", f'"{owner.name}" "{owner.password}"\n')
    settings = case.folder.write("pgbouncer.ini", f"""[databases]
{database.name} = host=127.0.0.1 port={case.postgres.port} dbname={database.name}
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
                      user=user)
    case.defer(program.stop)
    wait_until(lambda: listening(port), "pgbouncer", program)
    return port


def test_through_a_pooler(case: Case) -> None:
    database, project = case.database(), Project(case)
    env = {"DATABASE_URL": database.url(port=pooler(case, database))}
    script = project.script("init.py", "open('ran', 'w')")
    project.database_contract({"command": script}, expect=["users"])
    error = refused(case, ["bootstrap"], env, 6, ["pooler"], "database-refused")
    assert "direct" in error["hint"], error
    assert not (case.folder / "ran").exists()
    assert_untouched(database)
    project.database_contract()
    got = case.agent("bootstrap", "--json", env=env).expect(0).json()
    assert got["created"] is True
    assert_made(database)
    assert case.agent("bootstrap", "--json", env=env).expect(0).json()["created"] is False


# ---- the contract -----------------------------------------------------------------------------------------


CONTRACTS: List[Tuple[str, List[str]]] = [
    ("", ["contract.json"]),
    ("{", ["contract.json:1"]),
    ("[]", ["contract.json:1"]),
    ("{\"contract\": 1, \"vars\": {}} x", ["contract.json:1"]),
    ("{\"vars\": {}}", ["contract"]),
    ("{\"contract\": 2, \"vars\": {}}", ["contract.json:1"]),
    ("{\"contract\": 1}", ["vars"]),
    ("{\"contract\": 1, \"vars\": {},\n \"databse\": {}}", ["contract.json:2", "databse", "database"]),
    ("{\"contract\": 1, \"vars\": {\"A\": {},\n \"A\": {}}}", ["contract.json:2", "A"]),
    ("{\"contract\": 1, \"vars\": {\n\"A\": {\"type\": \"strng\"}}}", ["contract.json:2", "strng", "string"]),
    ("{\"contract\": 1, \"vars\": {\n\"A\": {\"type\": 3}}}", ["contract.json:2", "type"]),
    ("{\"contract\": 1, \"vars\": {\n\"A\": {\"pattern\": \"(\"}}}", ["contract.json:2", "pattern"]),
    ("{\"contract\": 1, \"vars\": {\n\"A\": {\"source\": \"vault:x\"}}}", ["contract.json:2", "#"]),
    ("{\"contract\": 1, \"vars\": {},\n\"rules\": [{}]}", ["contract.json:2", "a rule without 'id'"]),
    ("{\"contract\": 1, \"vars\": {},\n\"fences\": {\"p\": {}}}", ["contract.json:2", "profile"]),
    ("{\"contract\": 1, \"vars\": {\n\"A\": {\"secret\": true, \"source\": \"env\", \"default\": \"x\"}}}",
     ["contract.json:2", "default"]),
    ("{\"contract\": 1, \"vars\": {\n\"LD_PRELOAD\": {\"source\": \"file:x\"}}}", ["LD_PRELOAD"]),
    ("{\"contract\": 1, \"vars\": {},\n\"include\": [\"other.json\"]}", ["other.json"]),
    ("{\"contract\": 1, \"vars\": {\"A\": {\"source\": \"env\"}},\n\"database\": {\"url\": \"A\"}}",
     ["contract.json:2", "postgres-url"]),
    ("{\"contract\": 1, \"vars\": {},\n\"database\": {\"url\": \"NONE\"}}", ["contract.json:2", "NONE"]),
    ("{\"contract\": 1, \"vars\": {},\n\"vault\": {\"address\": \"vault:8200\"}}",
     ["contract.json:2", "https://"]),
    ("{\"contract\": 1, \"vars\": {\n\"\": {}}}", ["contract.json:2", "1 problem: '' cannot be"]),
    ("{\"contract\": 1, \"vars\": {} /* never ends", ["contract.json"]),
    ("{\"contract\": 1, \"vars\": {\"\\ud800\": {}}}", ["contract.json"]),
    ("[" * 5000, ["contract.json"]),
]


def test_contracts_with_mistakes(case: Case) -> None:
    wrong: List[str] = []
    for text, words in CONTRACTS:
        case.folder.write("contract.json", text)
        for command in (["check", "--lint"], ["check", "--env-only"], ["run", "--", "true"]):
            result = case.agent(*command)
            said = result.stdout + result.stderr
            wanted = 125 if command[0] == "run" else 2
            if result.code != wanted or lacks(said, words):
                wrong.append(f"{text[:80]!r} {command}: exit {result.code}, lacks "
                             f"{lacks(said, words)}\n{said}")
    assert not wrong, "\n".join(wrong)


def test_a_contract_that_is_no_file_or_too_large(case: Case) -> None:
    refused(case, ["check"], {}, 2, ["contract.json", "--contract"], "file")
    refused(case, ["check", "--contract", str(case.folder.path)], {}, 2, [str(case.folder.path)], "file")
    with open(case.folder / "contract.json", "wb") as large:
        large.truncate(5 * 1024 * 1024)
    refused(case, ["check"], {}, 2, ["contract.json", "4"])


def test_revision_files_with_mistakes(case: Case) -> None:
    database, project = case.database(), Project(case)
    project.database_contract()
    env = {"DATABASE_URL": database.url()}
    project.revision("c3", "gone", "an orphan", "SELECT 1")
    refused(case, ["bootstrap"], env, 2, ["c3.py", "gone"], "file")
    project.folder.write("migrations/versions/c3.py", "revision = make()\ndown_revision = 'b2'\n")
    refused(case, ["verify"], env, 2, ["c3.py:1", "only running Python", "heads"], "file")
    (project.path / "migrations/versions/c3.py").unlink()
    (project.path / "alembic.ini").unlink()
    refused(case, ["bootstrap"], env, 2, ["alembic.ini", "database.stamp names it"], "file")
    for cwd in ("no/such", "schema.sql"):
        project.database_contract(cwd=cwd)
        refused(case, ["verify"], env, 2, ["database.cwd", cwd, "the contract's"], "file")
    assert_untouched(database)


def test_a_server_of_http_is_asked_no_second_time(case: Case) -> None:
    server = ScriptedHttp(lambda _request: Answer(403, '{"errors": ["permission denied"]}'))
    case.defer(server.stop)
    refused(case, ["fetch"], at_address(case, server.address), 4, ["403"], "source-denied")
    asked = [request.path for request in server.requests if "/kv/data/app" in request.path]
    assert len(asked) <= 2, "what is denied is not asked for again and again"
