"""Fail-overs while a command makes the database (create.command), which shares no transaction with agent."""
from __future__ import annotations

import os

import psycopg

from tests.integration.test_standby import Pair, pair_of_its_own
from tests.lib.case import Case, lacks
from tests.lib.processes import wait_until
from tests.lib.project import assert_made, assert_no_lock
from tests.lib.standby import stop_at_once, wait_for_standby

# Each table is committed by itself; behind each it says so, and waits to be let on.
SCRIPT = """\
import os
import psycopg

def step(name):
    with open("steps", "a") as steps:
        steps.write(name + "\\n")
    with open(name) as gate:
        gate.read()

with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as session:
    session.execute("CREATE TABLE orgs (id bigint PRIMARY KEY, name text NOT NULL)")
    step("orgs")
    session.execute("CREATE TABLE users (id bigint PRIMARY KEY, org bigint, mail text)")
    session.execute("CREATE TABLE IF NOT EXISTS alembic_version (version_num varchar(32) PRIMARY KEY)")
step("users")
"""
AGENTS = "FROM pg_stat_activity WHERE application_name = 'agent' AND datname = current_database()"


class Making:
    """A pair whose database a command makes, step by step."""

    def __init__(self, case: Case, standby_is_away: bool = False) -> None:
        self.pair: Pair = pair_of_its_own(case, create={"command": ["python3", "make.py"]}, expect=["orgs"])
        self.case, self.primary, self.standby = case, self.pair.primary, self.pair.standby
        case.folder.write("make.py", SCRIPT)
        for name in ("orgs", "users"):
            os.mkfifo(case.folder / name)
        if standby_is_away:
            self.standby.stop()
        self.running = self.pair.start(self.pair.url(attrs="read-write"))

    def steps(self) -> str:
        """What it has done so far, line by line."""
        path = self.case.folder / "steps"
        return path.read_text() if path.exists() else ""

    def wait_for(self, *steps: str) -> None:
        """Wait until it has come there."""
        wanted = "".join(f"{step}\n" for step in steps)
        wait_until(lambda: self.steps() == wanted, f"the command behind {wanted!r}")

    def let_on(self, step: str) -> None:
        """It waits there: let it go on."""
        with open(self.case.folder / step, "w", encoding="ascii"):
            pass

    def fail_over(self) -> None:
        """The primary is gone, and the standby takes its place."""
        stop_at_once(self.primary)
        if self.standby.program is None or self.standby.program.ended():
            self.standby.start()
        self.standby.promote()


def test_a_lock_that_is_lost_while_the_command_runs_is_taken_again(case: Case) -> None:
    making = Making(case)
    making.wait_for("orgs")
    assert making.pair.there.value(f"SELECT count(pg_terminate_backend(pid)) {AGENTS}") == "1"
    making.let_on("orgs")
    making.wait_for("orgs", "users")
    making.let_on("users")
    result = making.running.wait().expect(0)
    assert result.json()["created"] is True and "trying again" in result.stderr, result
    assert making.steps() == "orgs\nusers\n"
    assert_made(making.pair.there)


def test_a_primary_that_dies_under_the_command_is_told_with_what_is_left(case: Case) -> None:
    making = Making(case)
    making.wait_for("orgs")
    making.standby.receive()
    making.fail_over()
    making.let_on("orgs")
    result = making.running.wait().expect(6)
    document = result.json()
    assert document["state"] == "unstamped" and document["created"] is False, result
    assert not lacks(result.stderr, ["create.command", "'unstamped'", "--adopt"]), result
    assert making.pair.here.tables() == ["public.orgs"]
    assert_no_lock(making.pair.here)


def test_a_command_whose_work_the_standby_lacks_is_run_again(case: Case) -> None:
    making = Making(case, standby_is_away=True)
    making.wait_for("orgs")
    making.let_on("orgs")
    making.wait_for("orgs", "users")
    making.fail_over()
    making.let_on("users")
    for step in ("orgs", "users"):
        making.let_on(step)
    result = making.running.wait().expect(0)
    assert result.json()["created"] is True and "it is run again" in result.stderr, result
    assert making.steps() == "orgs\nusers\n" * 2
    assert_made(making.pair.here)


def make_half(case: Case) -> Making:
    """The standby has what is expected, and not all that was made."""
    making = Making(case)
    making.wait_for("orgs")
    making.standby.receive()
    making.standby.stop()
    making.let_on("orgs")
    making.wait_for("orgs", "users")
    return making


def assert_half(making: Making) -> None:
    """That is told, and not stamped."""
    result = making.running.wait().expect(6)
    document = result.json()
    assert (document["state"], document["created"], document["verified"]) == ("unstamped", False, False), result
    assert not lacks(result.stderr, ["another server took over", "'unstamped'", "--adopt"]), result
    assert making.pair.here.tables() == ["public.orgs"]
    assert_no_lock(making.pair.here)


def test_half_of_what_a_command_made_is_not_stamped(case: Case) -> None:
    making = make_half(case)
    making.fail_over()
    making.let_on("users")
    assert_half(making)


def test_half_of_what_a_command_made_is_not_stamped_for_a_commit_in_doubt(case: Case) -> None:
    making = make_half(case)
    wait_for_standby(making.primary)
    making.let_on("users")
    making.pair.waits_in_commit()
    making.fail_over()
    assert_half(making)


def test_who_waits_for_the_lock_judges_what_the_standby_has(case: Case) -> None:
    """The lock is gone with the primary, and the command of who held it is not to be run beside its half."""
    making = make_half(case)
    waiting = making.pair.start(making.pair.url(attrs="read-write"))
    wait_until(waiting.has_spoken, "a word that it waits")
    making.fail_over()
    making.let_on("users")
    document = waiting.wait().expect(6).json()
    assert (document["state"], document["created"]) == ("unstamped", False), document
    assert_half(making)
    assert making.steps() == "orgs\nusers\n"


def test_what_a_command_made_is_stamped_on_a_standby_that_has_it_all(case: Case) -> None:
    """The fail-over comes between the command's end and the stamp."""
    making = Making(case)
    making.wait_for("orgs")
    making.let_on("orgs")
    making.wait_for("orgs", "users")
    session = psycopg.connect(making.primary.url(making.pair.there.name))
    case.defer(session.close)
    session.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
    making.let_on("users")
    wait_until(lambda: making.pair.there.value(f"SELECT count(*) {AGENTS} AND wait_event_type = 'Lock'") == "1",
               "agent's look at the version table")
    making.standby.receive()
    making.fail_over()
    result = making.running.wait().expect(0)
    document = result.json()
    assert document["created"] is True and int(document["port"]) == making.standby.port, result
    assert making.steps() == "orgs\nusers\n"
    assert_made(making.pair.here)
