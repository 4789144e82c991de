"""Death at a step of `agent bootstrap`, and a connection that breaks at a message.

Whatever happens: tables exactly where the stamp is, one stamp, the exit code told the truth, no lock is
left, and the next run ends with a database that is current. `make test` takes a slice of the points;
AGENT_LONG=1 takes every one.
"""
from __future__ import annotations

import os
import re
import shutil
import signal
from typing import Dict, List, Optional, Sequence, Tuple

from tests.lib.agent import Result
from tests.lib.case import Case
from tests.lib.cutter import DOWN, UP, Cutter
from tests.lib.processes import wait_until
from tests.lib.project import HEAD, Project, TABLES, assert_made
from tests.lib.servers import Database, Postgres

LONG = bool(os.environ.get("AGENT_LONG"))
KILL_POINTS, CUT_POINTS = 14, 12  # of a slice, for each kind
KILLED_CALLS = ("connect", "sendto", "recvfrom", "poll", "clone3", "vfork")
LOOK = """
SELECT 'table', schemaname || '.' || tablename FROM pg_tables
 WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
UNION ALL SELECT 'lock', pid::text FROM pg_locks WHERE locktype = 'advisory'
   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
UNION ALL SELECT 'session', pid::text FROM pg_stat_activity
   WHERE datname = current_database() AND pid <> pg_backend_pid()
ORDER BY 1, 2"""


class Site:
    """One database for all points of a test: emptied before each."""

    def __init__(self, case: Case, create: Optional[Dict[str, List[str]]] = None,
                 server: Optional[Postgres] = None) -> None:
        self.case, self.database = case, case.database(server)
        Project(case).database_contract(create, expect=["users", "orgs"])

    def empty(self) -> None:
        """As it was made."""
        self.database.sql("SET client_min_messages = error; DROP SCHEMA public CASCADE; "
                          f"CREATE SCHEMA public AUTHORIZATION {self.database.owner.name}")

    def look(self) -> Dict[str, List[str]]:
        """Tables, locks and sessions."""
        found: Dict[str, List[str]] = {"table": [], "lock": [], "session": []}
        for kind, name in self.database.sql(LOOK):
            found[kind].append(name)
        return found

    def is_made(self) -> bool:
        """Whether it is all there; AssertionError where a part of it is."""
        # The server notices a dead client within client_connection_check_interval.
        wait_until(lambda: not self.look()["session"], "the end of the sessions", seconds=10)
        found = self.look()
        assert found["lock"] == [], "a lock is left"
        if not found["table"]:
            return False
        assert found["table"] == ["public.alembic_version", *TABLES], found
        assert self.database.stamped() == [HEAD]
        return True

    def go_on(self) -> None:
        """The next run, without trouble, ends with a current database."""
        made = self.is_made()
        got = self.case.agent("bootstrap", "--json",
                              env={"DATABASE_URL": self.database.url()}).expect(0).json()
        assert got["state"] == "current" and got["created"] is not made, got
        assert_made(self.database)


def points(count: int, most: int) -> Sequence[int]:
    """1 to `count`; of a slice `most` of them, the first and the last among them."""
    if LONG or count <= most:
        return range(1, count + 1)
    return sorted({1 + round(step * (count - 1) / (most - 1)) for step in range(most)})


# ---- kill -9 ----------------------------------------------------------------------------------------------


def traced(site: Site, *options: str) -> Result:
    """`agent bootstrap` under strace."""
    case = site.case
    return case.tool("strace", "-qq", "-o", str(case.folder / "trace"), *options,
                     str(case.make_agent().binary), "bootstrap", "--json",
                     env={"DATABASE_URL": site.database.url(),
                          "ASAN_OPTIONS": "detect_leaks=0"})  # it can't look at who is traced


def calls(site: Site) -> Dict[str, int]:
    """How often a whole bootstrap makes each call."""
    traced(site, "-e", f"trace=?{',?'.join(KILLED_CALLS)}").expect(0)
    text = (site.case.folder / "trace").read_text()
    return {name: len(re.findall(rf"^{name}\(", text, re.MULTILINE)) for name in KILLED_CALLS}


def kill_everywhere(case: Case, site: Site) -> None:
    """Kill agent at each call in turn, and look at what it left."""
    if shutil.which("strace") is None:
        case.skip("strace is not installed")
    counts = calls(site)
    where = [(name, k) for name, count in counts.items() for k in range(1, count + 1)]
    assert len(where) > KILL_POINTS, counts
    killed = 0
    for step in points(len(where), KILL_POINTS):
        name, k = where[step - 1]
        case.say(f"-- killed at {name} {k}")
        site.empty()
        result = traced(site, "-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={k}")
        # How often it polls depends on how fast the server is: some of the last are not reached.
        assert result.code in (-signal.SIGKILL, 128 + signal.SIGKILL, 0), result
        if result.code == 0:
            assert site.is_made()
        killed += result.code != 0
        site.go_on()
    assert killed >= KILL_POINTS * 3 // 4, killed


def test_killed_at_a_call_while_it_makes_the_database(case: Case) -> None:
    kill_everywhere(case, Site(case))


def test_killed_at_a_call_with_a_command_that_emits(case: Case) -> None:
    site = Site(case, {"emit": ["cat", "schema.sql"]})
    kill_everywhere(case, site)


# ---- a connection that breaks -----------------------------------------------------------------------------


def bootstrap_over(case: Case, site: Site, cutter: Cutter, cut_at: Optional[Tuple[str, int]]) -> Result:
    """One bootstrap through the cutter."""
    cutter.begin(cut_at)
    return case.agent("bootstrap", "--json", env={"DATABASE_URL": site.database.url(
        port=cutter.port)})


def cut_everywhere(case: Case, direction: str) -> None:
    """Break the connection at each message of that direction in turn."""
    site = Site(case)
    cutter = Cutter(case.postgres.port)
    case.defer(cutter.stop)
    bootstrap_over(case, site, cutter, None).expect(0)
    count = cutter.counts[direction]
    assert count > 5, cutter.first_bytes
    for n in points(count, CUT_POINTS):
        case.say(f"-- cut at {direction} {n}")
        site.empty()
        result = bootstrap_over(case, site, cutter, (direction, n))
        document = result.json()
        made = site.is_made()
        if result.code == 0:
            assert made and document["state"] == "current" and document["verified"] is True, result
        else:
            assert result.code == 5 and document["error"]["message"].strip(), result
            assert not made or document.get("state") == "in-doubt", result
        site.go_on()


def test_cut_at_a_message_of_the_client(case: Case) -> None:
    cut_everywhere(case, UP)


def test_cut_at_an_answer_of_the_server(case: Case) -> None:
    cut_everywhere(case, DOWN)
