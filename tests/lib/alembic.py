"""Alembic is the judge of what agent leaves in a database."""
from __future__ import annotations

from pathlib import Path
from typing import List

from tests.lib.case import Case
from tests.lib.servers import Database


def assert_alembic_agrees(case: Case, database: Database, project: Path, heads: List[str]) -> None:
    """`current` prints the heads, `--check-heads` is content, `upgrade heads` does nothing."""
    env = {"DATABASE_URL": database.url()}
    current = case.tool("alembic", "current", "--check-heads", env=env, cwd=project).expect(0)
    got = [line.split()[0] for line in current.stdout.splitlines() if "(head)" in line]
    assert sorted(got) == sorted(heads), current
    upgrade = case.tool("alembic", "upgrade", "heads", env=env, cwd=project).expect(0)
    assert "Running upgrade" not in upgrade.stderr, upgrade
    assert database.stamped() == sorted(heads)
