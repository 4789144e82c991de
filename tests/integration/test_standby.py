"""A real primary and its standby: what a standby is told as, lists of hosts, and fail-overs."""
from __future__ import annotations

from typing import Any, Optional
from urllib.parse import quote

from tests.lib.agent import Result
from tests.lib.case import Case, lacks
from tests.lib.project import SCHEMA, Project, assert_made, assert_untouched
from tests.lib.servers import Database
from tests.lib.standby import Standby

CLOSED_PORT = 1


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
        project.database_contract(**settings)

    def url(self, *ports: int, attrs: Optional[str] = None) -> str:
        """Of these ports in that order; the primary's and the standby's where none is given."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports or (self.primary.port, self.standby.port))
        login = f"{self.there.owner.name}:{quote(self.there.owner.password, safe='')}"
        tail = f"?target_session_attrs={attrs}" if attrs else ""
        return f"postgresql://{login}@{hosts}/{self.there.name}{tail}"

    def agent(self, *args: str, url: str) -> Result:
        """Run a command to its end."""
        return self.case.agent(*args, env={"DATABASE_URL": url})


def shared_pair(case: Case, **settings: Any) -> Pair:
    """On servers that are not harmed."""
    pair = Pair(case, case.standby, **settings)
    case.defer(pair.there.drop)
    return pair


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
    said = pair.agent("doctor", url=pair.url(second, first, attrs="primary")).stdout
    assert "`psql -X -w -c 'select 1'` works" in said, said
    result = pair.agent("bootstrap", "--json", url=pair.url(second, first, attrs="primary")).expect(0)
    assert result.json()["created"] is True and int(result.json()["port"]) == first, result
    assert_made(pair.there)


def test_a_list_without_the_one_that_was_asked_for(case: Case) -> None:
    pair = shared_pair(case, wait="1s")
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
        result = pair.agent("bootstrap", "--json", url=url).expect(5)
        assert not lacks(result.stderr, [*words, "waited in vain"]), result
    for attrs in ("nonsense", "READ-WRITE"):
        result = pair.agent("verify", "--json", url=pair.url(second, first, attrs=attrs)).expect(2)
        assert result.json()["error"]["kind"] == "contract" and attrs in result.stderr, result
    assert_untouched(pair.there)
