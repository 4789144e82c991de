"""A stamp without Alembic: `"stamp": {"style": "plain", "revision": …}`."""
from __future__ import annotations

from typing import Any, Dict

from tests.lib.case import Case
from tests.lib.project import Project

OURS = {"table": "schema_version", "schema": "public"}


def plain(project: Project, revision: str = "2026-11") -> None:
    """The project's contract, stamped with this revision."""
    project.database_contract(stamp={"style": "plain", "revision": revision, **OURS},
                              expect=["users", "orgs"])


def verify(agent: Any, env: Dict[str, str], code: int, state: str) -> Dict[str, Any]:
    said = agent.run("verify", "--json", env=env).expect(code).json()
    assert said["state"] == state, said
    return said


def test_a_plain_stamp_is_made_verified_and_kept(case: Case) -> None:
    database, project, agent = case.database(), Project(case), case.make_agent()
    env = {"DATABASE_URL": database.url()}
    plain(project)
    verify(agent, env, 1, "fresh")
    made = agent.run("bootstrap", "--json", env=env).expect(0).json()
    assert made["created"] and made["stamped"] == made["heads"] == ["2026-11"]
    assert database.sql("TABLE public.schema_version") == [["2026-11"]]
    assert database.sql("SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = "
                        "'public.schema_version'::regclass AND attnum > 0") == [["text"]]
    verify(agent, env, 0, "current")
    again = agent.run("bootstrap", "--json", env=env).expect(0).json()
    assert not again["created"]


def test_another_revision_is_not_known_and_nothing_is_changed(case: Case) -> None:
    database, project, agent = case.database(), Project(case), case.make_agent()
    env = {"DATABASE_URL": database.url()}
    plain(project)
    agent.run("bootstrap", env=env).expect(0)
    plain(project, "2026-12")
    verify(agent, env, 1, "unknown-revision")
    refused = agent.run("bootstrap", env=env).expect(6)
    assert "2026-11" in str(refused)
    assert database.sql("TABLE public.schema_version") == [["2026-11"]]


def test_the_states_of_a_stamp_that_was_lost(case: Case) -> None:
    database, project, agent = case.database(), Project(case), case.make_agent()
    env = {"DATABASE_URL": database.url()}
    plain(project)
    agent.run("bootstrap", env=env).expect(0)
    database.sql("DELETE FROM public.schema_version")
    verify(agent, env, 1, "lost-stamp")
    database.sql("DROP TABLE public.schema_version")
    verify(agent, env, 1, "unstamped")
    agent.run("bootstrap", env=env).expect(6)


def test_a_plain_stamp_is_adopted_when_the_schema_is_proved(case: Case) -> None:
    database, project, agent = case.database(), Project(case), case.make_agent()
    env = {"DATABASE_URL": database.url()}
    plain(project)
    agent.run("bootstrap", env=env).expect(0)
    database.sql("DROP TABLE public.schema_version")
    adopted = agent.run("bootstrap", "--adopt", "--ephemeral", "--json", env=env).expect(0).json()
    assert adopted["state"] == "current" and adopted["stamped"] == ["2026-11"]
    database.sql("DELETE FROM public.schema_version")
    database.sql("ALTER TABLE users ADD COLUMN planted int")
    refused = agent.run("bootstrap", "--adopt", "--ephemeral", env=env).expect(1)
    assert "planted" in str(refused)
    assert database.sql("TABLE public.schema_version") == []
    agent.run("bootstrap", "--adopt", "--trust", env=env).expect(0)
    verify(agent, env, 0, "current")


def test_the_graph_of_a_plain_stamp_is_a_clear_error(case: Case) -> None:
    project, agent = Project(case), case.make_agent()
    plain(project)
    said = agent.run("graph", env={"DATABASE_URL": "postgresql://127.0.0.1/none"}).expect(2)
    assert "names no migrations" in str(said)
