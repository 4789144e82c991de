"""A real primary and its standby: what a standby is told as, lists of hosts, and fail-overs."""
from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator, Optional
from urllib.parse import quote

import psycopg

from tests.lib.agent import Result, Running
from tests.lib.case import Case, lacks
from tests.lib.processes import wait_until
from tests.lib.project import HEAD, SCHEMA, Project, assert_made, assert_no_lock, assert_untouched
from tests.lib.servers import Database, Postgres, Proxy
from tests.lib.standby import Standby, stop_at_once, wait_for_standby

GATE = 42  # an advisory lock that the schema waits for
CLOSED_PORT = 1
GUARD_SECONDS = 120


class Pair:
    """A primary, its standby, and a fresh database on both, with a contract that makes it."""

    def __init__(self, case: Case, standby: Standby, schema: str = SCHEMA, **settings: Any) -> None:
        self.case, self.standby, self.primary = case, standby, standby.primary
        owner = self.primary.role()
        case.canaries.add("owner's password", owner.password)
        self.there = self.primary.database(owner)
        self.here = Database(self.standby, self.there.name, owner)
        self.standby.catch_up()
        project = Project(case)
        case.folder.write("schema.sql", schema)
        project.database_contract(**{"wait": "60s", **settings})

    def url(self, *ports: int, attrs: Optional[str] = None) -> str:
        """Of these ports in that order; the primary's and the standby's where none is given."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports or (self.primary.port, self.standby.port))
        login = f"{self.there.owner.name}:{quote(self.there.owner.password, safe='')}"
        tail = f"?target_session_attrs={attrs}" if attrs else ""
        return f"postgresql://{login}@{hosts}/{self.there.name}{tail}"

    def agent(self, *args: str, url: str) -> Result:
        """Run a command to its end."""
        return self.case.agent(*args, env={"DATABASE_URL": url})

    def start(self, url: str) -> Running:
        """Start to make it."""
        return self.case.make_agent().start("bootstrap", "--json", env={"DATABASE_URL": url})

    def waits_in_commit(self) -> str:
        """Wait for a COMMIT that waits for the standby; gives the transaction's id."""
        asked = "SELECT backend_xid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_xid IS NOT NULL"
        wait_until(lambda: self.primary.sql(asked) != [], "a COMMIT that waits for a standby")
        return self.primary.value(asked)

    def is_asked(self, what: str) -> None:
        """Wait until the standby was asked that."""
        wait_until(lambda: what in self.standby.log_text(), f"a session at the standby that asks for {what}")


@contextmanager
def gate(database: Database) -> Iterator[None]:
    """While it is open, who asks for the lock waits."""
    with psycopg.connect(database.server.url(database.name), autocommit=True) as session:
        session.execute(f"SELECT pg_advisory_lock({GATE})")
        yield


def wait_at_gate(server: Postgres) -> None:
    """Wait until the schema has come to the gate."""
    wait_until(lambda: server.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND "
                                    f"objid = {GATE} AND NOT granted") == "1", "the schema at the gate")


def shared_pair(case: Case, **settings: Any) -> Pair:
    """On servers that are not harmed."""
    pair = Pair(case, case.standby, **settings)
    case.defer(pair.there.drop)
    return pair


def pair_of_its_own(case: Case, **settings: Any) -> Pair:
    """On servers for this test alone."""
    return Pair(case, case.standby_of_its_own(), **settings)


# ---- a standby ----------------------------------------------------------------------------------------


def test_a_standby_is_named_and_nothing_is_made(case: Case) -> None:
    pair = shared_pair(case)
    url = pair.url(pair.standby.port)
    result = pair.agent("bootstrap", "--json", url=url).expect(5)
    document = result.json()
    assert (document["state"], document["read_only"], document["created"]) == ("fresh", True, False), result
    assert document["error"]["kind"] == "database-down", result
    assert not lacks(result.stderr, ["this server is a standby", "to write", "'fresh'", "primary",
                                     "target_session_attrs=read-write"]), result
    result = pair.agent("verify", url=url).expect(1)
    assert not lacks(result.stdout, ["read-only: the server is a standby", "state       fresh",
                                     "that is done on its primary"]), result
    result = pair.agent("run", "--bootstrap", "--", "touch", "started", url=url).expect(125)
    assert "this server is a standby" in result.stderr and not (case.folder / "started").exists(), result
    assert_untouched(pair.there)


def test_a_current_database_on_a_standby_starts_the_application(case: Case) -> None:
    pair = shared_pair(case)
    pair.agent("bootstrap", url=pair.url(pair.primary.port)).expect(0)
    pair.standby.catch_up()
    url = pair.url(pair.standby.port)
    document = pair.agent("bootstrap", "--json", url=url).expect(0).json()
    assert (document["state"], document["read_only"], document["created"]) == ("current", True, False)
    assert "hint  " not in pair.agent("verify", url=url).expect(0).stdout
    assert pair.agent("verify", "--query", "SELECT name FROM orgs", url=url).expect(0).stdout.count("Acme") == 1
    assert pair.agent("run", "--bootstrap", "--", "echo", "started", url=url).expect(0).stdout == "started\n"
    assert pair.agent("doctor", url=url).stdout.count("it is a standby") == 1


def test_what_a_standby_lacks_is_not_done_there(case: Case) -> None:
    """--migrate, --adopt and a command that makes it by itself: refused before anything is run."""
    pair = shared_pair(case, migrate=["touch", "migrated"])
    pair.agent("bootstrap", url=pair.url(pair.primary.port)).expect(0)
    url = pair.url(pair.standby.port)
    for change, state, words in (("UPDATE alembic_version SET version_num = 'a1'", "behind", ["--migrate"]),
                                 ("DELETE FROM alembic_version", "lost-stamp", ["--adopt", "--trust"])):
        pair.there.sql(change)
        pair.standby.catch_up()
        result = pair.agent("bootstrap", *words, "--json", url=url).expect(5)
        assert "this server is a standby" in result.stderr and result.json()["state"] == state, result
    assert not (case.folder / "migrated").exists()
    pair.there.sql("DROP TABLE users, orgs, alembic_version")
    pair.standby.catch_up()
    Project(case).database_contract({"command": ["touch", "made"]}, expect=["orgs"])
    result = pair.agent("bootstrap", url=url).expect(5)
    assert "this server is a standby" in result.stderr and not (case.folder / "made").exists(), result


def test_guard_takes_no_standby(case: Case) -> None:
    pair = shared_pair(case, migrate=["true"])
    said = pair.agent("guard", "--server", "DATABASE_URL", url=pair.url(pair.standby.port)).expect(5).stderr
    assert not lacks(said, ["DATABASE_URL", "the server is a standby", "--ephemeral"]), said
    assert "left behind" not in said.lower() and "drop" not in said, said


def test_guard_takes_the_one_of_several_hosts_that_can_be_written_to(case: Case) -> None:
    """Its commands come to the same, SQLAlchemy too, which reads no list of hosts."""
    pair = shared_pair(case, migrate=["alembic", "upgrade", "heads"])
    case.folder.write("schema.sql", "CREATE TABLE orgs (id bigint PRIMARY KEY, name text NOT NULL);"
                                    "CREATE TABLE users (id bigint PRIMARY KEY, org bigint, mail text);")
    login = f"postgres:{pair.primary.password}"
    hosts = f"127.0.0.1:{pair.standby.port},127.0.0.1:{CLOSED_PORT},127.0.0.1:{pair.primary.port}"
    result = case.agent("guard", "--server", "DATABASE_URL", "--json", seconds=GUARD_SECONDS, env={
        "DATABASE_URL": f"postgresql://{login}@{hosts}/postgres", "PATH": case.alembic_path}).expect(0)
    assert result.json()["differences"] == [], result
    made = pair.primary.sql("SELECT datname FROM pg_database WHERE datname LIKE 'agent\\_guard\\_%'")
    assert made == [], made
    only = f"127.0.0.1:{pair.standby.port},127.0.0.1:{CLOSED_PORT}"
    said = pair.agent("guard", "--server", "DATABASE_URL", url=f"postgresql://{login}@{only}/postgres").expect(5).stderr
    assert not lacks(said, ["DATABASE_URL", "session is read-only", "--ephemeral"]), said


# ---- several hosts ------------------------------------------------------------------------------------


def test_of_several_hosts_the_one_that_was_asked_for_is_taken(case: Case) -> None:
    pair = shared_pair(case)
    first, second = pair.primary.port, pair.standby.port
    for attrs, ports, taken in (
            (None, (second, first), second), ("any", (first, second), first),
            ("read-write", (second, first), first), ("primary", (second, first), first),
            ("standby", (first, second), second), ("read-only", (first, second), second),
            ("prefer-standby", (first, second), second), ("prefer-standby", (first, CLOSED_PORT), first),
            ("read-write", (CLOSED_PORT, second, first), first)):
        document = pair.agent("verify", "--json", url=pair.url(*ports, attrs=attrs)).expect(1).json()
        assert int(document["port"]) == taken and document["state"] == "fresh", (attrs, ports, document)
    login = pair.there.owner
    folders = f"{pair.standby.socket_folder},{pair.primary.socket_folder}"
    url = (f"postgresql://{login.name}:{quote(login.password, safe='')}@/{pair.there.name}?host={quote(folders)}"
           f"&port={second},{first}&target_session_attrs=")
    for attrs, taken in (("primary", first), ("any", second)):
        document = pair.agent("verify", "--json", url=url + attrs).expect(1).json()
        assert int(document["port"]) == taken, (attrs, document)
    said = pair.agent("doctor", url=pair.url(second, first, attrs="primary")).stdout
    assert "`psql -X -w -c 'select 1'` works" in said, said
    result = pair.agent("bootstrap", "--json", url=pair.url(second, first, attrs="primary")).expect(0)
    assert result.json()["created"] is True and int(result.json()["port"]) == first, result
    assert_made(pair.there)


def test_a_list_without_the_one_that_was_asked_for(case: Case) -> None:
    pair = shared_pair(case, wait="2s")
    first, second = pair.primary.port, pair.standby.port
    for attrs, ports, words in (
            ("read-write", (second,), ["session is read-only", "takes writes"]),
            ("primary", (second,), ["hot standby mode", "asks for the primary"]),
            ("standby", (first,), ["not in hot standby mode", "asks for a standby"]),
            ("read-only", (first,), ["not read-only"]),
            ("read-write", (second, CLOSED_PORT), ["2 attempts", "session is read-only", "refused"])):
        url = pair.url(*ports, attrs=attrs)
        said = pair.agent("verify", url=url).expect(5).stderr
        assert not lacks(said, words) and "password" not in said, said
    said = pair.agent("bootstrap", url=url).expect(5).stderr  # the last of them
    assert not lacks(said, [*words, "waited in vain"]), said
    for attrs in ("nonsense", "READ-WRITE"):
        result = pair.agent("verify", "--json", url=pair.url(second, first, attrs=attrs)).expect(2)
        assert result.json()["error"]["kind"] == "contract" and attrs in result.stderr, result
    assert_untouched(pair.there)


# ---- fail-overs -----------------------------------------------------------------------------------------


def test_a_standby_is_waited_for_until_it_is_promoted(case: Case) -> None:
    pair = pair_of_its_own(case)
    stop_at_once(pair.primary)
    running = pair.start(pair.url(attrs="read-write"))
    wait_until(running.has_spoken, "a word that it waits")
    pair.standby.promote()
    result = running.wait().expect(0)
    assert result.json()["created"] is True and "not ready yet" in result.stderr, result
    assert_made(pair.here)


def test_a_primary_that_dies_while_the_schema_runs(case: Case) -> None:
    pair = pair_of_its_own(case, schema=f"{SCHEMA}SELECT pg_advisory_xact_lock({GATE});\n")
    with gate(pair.there):
        running = pair.start(pair.url(attrs="read-write"))
        wait_at_gate(pair.primary)
        stop_at_once(pair.primary)
    pair.standby.promote()
    result = running.wait().expect(0)
    document = result.json()
    assert document["created"] is True and int(document["port"]) == pair.standby.port, result
    assert_made(pair.here)
    document = pair.agent("bootstrap", "--json", url=pair.url(attrs="read-write")).expect(0).json()
    assert document["created"] is False, document


def test_a_commit_that_the_standby_has_is_found_there(case: Case) -> None:
    """It is in the standby's log and not applied yet: who asks there finds nothing, and may not believe it."""
    pair = pair_of_its_own(case)
    wait_for_standby(pair.primary)
    pair.there.sql("ALTER DATABASE " + pair.there.name + " SET synchronous_commit = 'remote_apply'")
    pair.standby.sql("SELECT pg_wal_replay_pause()")
    running = pair.start(pair.url())
    pair.waits_in_commit()
    stop_at_once(pair.primary)
    pair.is_asked("pg_xact_status")
    assert pair.here.tables() == []
    pair.standby.promote()
    result = running.wait().expect(0)
    document = result.json()
    assert document["created"] is True and document["verified"] is True, result
    assert int(document["port"]) == pair.standby.port, result
    assert_made(pair.here)


def test_a_standby_that_is_not_promoted_leaves_it_in_doubt(case: Case) -> None:
    pair = pair_of_its_own(case, wait="3s")
    wait_for_standby(pair.primary)
    pair.there.sql("ALTER DATABASE " + pair.there.name + " SET synchronous_commit = 'remote_apply'")
    pair.standby.sql("SELECT pg_wal_replay_pause()")
    running = pair.start(pair.url())
    pair.waits_in_commit()
    stop_at_once(pair.primary)
    result = running.wait().expect(5)
    document = result.json()
    assert document["state"] == "in-doubt" and document["error"]["kind"] == "in-doubt", result
    assert not lacks(result.stderr, ["standby", "COMMIT was sent", "agent verify"]), result
    pair.standby.promote()
    document = pair.agent("bootstrap", "--json", url=pair.url()).expect(0).json()
    assert document["created"] is False and document["state"] == "current", document
    assert_made(pair.here)


def test_a_commit_that_the_standby_lacks_is_done_again(case: Case) -> None:
    """Its id is another transaction's there, which was committed: that says nothing of ours."""
    pair = pair_of_its_own(case)
    wait_for_standby(pair.primary)
    pair.standby.stop()
    later = case.proxy(CLOSED_PORT)
    running = pair.start(pair.url(pair.primary.port, later.port))
    lost = pair.waits_in_commit()
    stop_at_once(pair.primary)
    pair.standby.start()
    pair.standby.promote()
    while pair.here.value("SELECT pg_current_xact_id()") != lost:
        pass
    assert pair.here.value(f"SELECT pg_xact_status('{lost}')") == "committed"
    later.target = ("127.0.0.1", pair.standby.port)
    result = running.wait().expect(0)
    document = result.json()
    assert document["created"] is True and document["verified"] is True, result
    assert_made(pair.here)


def commit_without_a_second_look(pair: Pair, front: Proxy) -> Running:
    """Have it made over FRONT, which lets nobody through behind the COMMIT."""
    beside = "FROM pg_stat_activity WHERE query LIKE '%xact_lock_shared%' AND wait_event_type = 'Lock'"
    with gate(pair.there):
        running = pair.start(pair.url(front.port))
        wait_at_gate(pair.primary)
        wait_until(lambda: pair.primary.value(f"SELECT count(*) {beside}") == "1", "the second look")
        front.target = ("127.0.0.1", CLOSED_PORT)
        pair.primary.value(f"SELECT pg_terminate_backend(pid) {beside}")
    wait_until(lambda: pair.there.tables() != [], "the COMMIT")
    return running


def test_a_second_look_at_a_standby_that_is_behind_waits_for_it(case: Case) -> None:
    pair = pair_of_its_own(case, schema=f"{SCHEMA}SELECT pg_advisory_xact_lock({GATE});\n")
    pair.standby.sql("SELECT pg_wal_replay_pause()")
    front = case.proxy(pair.primary.port)
    running = commit_without_a_second_look(pair, front)
    pair.standby.receive()
    stop_at_once(pair.primary)
    front.target = ("127.0.0.1", pair.standby.port)
    pair.is_asked("pg_is_in_recovery")
    pair.standby.promote()
    document = running.wait().expect(0).json()
    assert document["created"] is True and document["verified"] is True, document
    assert_made(pair.here)


def test_a_commit_that_was_answered_and_lost_is_told(case: Case) -> None:
    """Asynchronous replication: it was made, and the server that is left has not heard of it."""
    pair = pair_of_its_own(case, schema=f"{SCHEMA}SELECT pg_advisory_xact_lock({GATE});\n")
    pair.standby.stop()
    front = case.proxy(pair.primary.port)
    running = commit_without_a_second_look(pair, front)
    stop_at_once(pair.primary)
    pair.standby.start()
    pair.standby.promote()
    front.target = ("127.0.0.1", pair.standby.port)
    result = running.wait().expect(6)
    document = result.json()
    assert document["state"] == "fresh" and document["verified"] is False, result
    assert not lacks(result.stderr, ["committed", "a new connection finds", "'fresh'", "fail-over",
                                     "agent bootstrap"]), result
    assert_untouched(pair.here)
    pair.agent("bootstrap", url=pair.url(front.port)).expect(0)
    assert_made(pair.here)


def test_a_commit_that_no_standby_confirms_is_told_as_made(case: Case) -> None:
    """The standby is away: the primary has it, and says that nobody else may."""
    pair = pair_of_its_own(case, statement_timeout="2s")
    wait_for_standby(pair.primary)
    pair.standby.stop()
    result = pair.start(pair.url()).wait().expect(0)
    document = result.json()
    assert document["created"] is True and document["state"] == "current", result
    assert "might not have been replicated" in result.stderr, result
    assert pair.there.stamped() == [HEAD]
    assert_no_lock(pair.there)
