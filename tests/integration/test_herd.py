"""Many starts at once: one makes the database, the others wait for it, and all are content."""
from __future__ import annotations

import json
import signal
import time
from typing import Any, Dict, List

from tests.lib.agent import Running
from tests.lib.case import Case, alone
from tests.lib.processes import wait_until
from tests.lib.project import HEAD, Project, SCHEMA, assert_made

HERD = 100
STARTS = 50
NAMES = [f"herd-{i}" for i in range(8)]
SMALL_SERVER = {"max_connections": "30", "superuser_reserved_connections": "3"}


def documents(herd: List[Running]) -> List[Dict[str, Any]]:
    """Wait for all; each must end with 0."""
    return [one.wait().expect(0).json() for one in herd]


@alone
def test_a_hundred_bootstraps_on_thirty_connections_make_one_database(case: Case) -> None:
    server = case.server_of_its_own(options=SMALL_SERVER)
    database, project = case.database(server), Project(case)
    project.database_contract(expect=["users", "orgs"])
    agent, env = case.make_agent(), {"DATABASE_URL": database.url()}
    herd = [agent.start("bootstrap", "--json", env=env) for _ in range(HERD)]
    said = documents(herd)
    assert [each["created"] for each in said].count(True) == 1
    assert {each["state"] for each in said} == {"current"}
    assert all(each["verified"] for each in said)
    assert all(each["stamped"] == each["heads"] == [HEAD] for each in said)
    assert_made(database)
    assert database.value("SELECT count(*) FROM orgs") == "1"


def test_a_killed_holder_frees_its_lock_and_a_waiter_makes_the_database(case: Case) -> None:
    database, project = case.database(), Project(case)
    project.folder.write("schema.sql", "SELECT pg_sleep(2);\n" + SCHEMA)
    project.database_contract()
    agent = case.make_agent()
    # Each has a name on the server: whose a connection is, /proc tells nobody but root.
    herd = {name: agent.start("bootstrap", "--json", env={
        "DATABASE_URL": database.url(query={"application_name": name})}) for name in NAMES}
    sleeping = ("SELECT a.application_name FROM pg_stat_activity a JOIN pg_locks l USING (pid) WHERE "
                "l.locktype = 'advisory' AND l.granted AND a.datname = current_database() "
                "AND a.wait_event = 'PgSleep'")
    wait_until(lambda: bool(database.sql(sleeping)), "a holder of the lock")
    holder = herd.pop(database.value(sleeping))
    holder.signal(signal.SIGKILL)
    assert holder.wait().code == -signal.SIGKILL
    said = documents(list(herd.values()))
    assert [each["created"] for each in said].count(True) == 1
    assert_made(database)


@alone
def test_fifty_starts_at_once_all_start(case: Case) -> None:
    server = case.server_of_its_own(options=SMALL_SERVER)
    database, project = case.database(server), Project(case)
    project.database_contract(expect=["users"])
    agent, env = case.make_agent(), {"DATABASE_URL": database.url()}
    began = time.monotonic()
    herd = [agent.start("run", "--bootstrap", "--", "true", env=env) for _ in range(STARTS)]
    said = "".join(one.wait().expect(0).stderr for one in herd)
    case.say(f"{STARTS} starts in {time.monotonic() - began:.1f} s")
    assert said.count("the database was made and stamped") == 1, said
    assert_made(database)


def test_those_who_wait_say_for_whom(case: Case) -> None:
    database, project = case.database(), Project(case)
    project.folder.write("schema.sql", "SELECT pg_sleep(6);\n" + SCHEMA)
    project.database_contract()
    agent, env = case.make_agent(), {"DATABASE_URL": database.url()}
    first = agent.start("bootstrap", "--json", env=env)
    wait_until(lambda: database.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = "
                                      "'PgSleep' AND datname = current_database()") == "1",
               "the holder in its schema")
    pid = database.value("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND "
                         "datname = current_database()")
    second = agent.run("bootstrap", "--json", "--log", "json", env=env).expect(0)
    assert first.wait().expect(0).json()["created"] is True
    assert second.json()["created"] is False and second.json()["waited_ms"] > 0
    lines = [json.loads(line) for line in second.stderr.splitlines()]
    assert any(pid in json.dumps(line) for line in lines), second


def test_who_waits_too_long_says_for_whom(case: Case) -> None:
    database, project = case.database(), Project(case)
    project.folder.write("schema.sql", "SELECT pg_sleep(4);\n" + SCHEMA)
    project.database_contract()
    agent, env = case.make_agent(), {"DATABASE_URL": database.url()}
    first = agent.start("bootstrap", env=env)
    sleeping = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    wait_until(lambda: bool(database.sql(sleeping)), "the holder in its schema")
    pid = database.value(sleeping)
    project.database_contract(lock_wait="500ms")
    for options in ([], ["--timeout=1s"]):
        late = agent.run("bootstrap", "--json", *options, env=env).expect(5)
        assert late.json()["error"]["kind"] == "database-lock" and pid in late.stderr, late
    first.wait().expect(0)
    assert_made(database)
