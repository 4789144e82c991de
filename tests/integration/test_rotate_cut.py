"""A lost request and a lost reply at each message of a rotation's dialogue with Vault and with PostgreSQL.

Never two effects for one rotation, never a wrong verdict: exit 0 means that the new one is current and the
former refused; anything else leaves what `--resume` ends, or nothing. `make test` takes POINTS of each
direction; AGENT_LONG=1 every one.
"""
from __future__ import annotations

import os
from typing import List

from tests.lib.case import Case
from tests.lib.cutter import DOWN, UP, Cutter
from tests.lib.rotation import SCENES, Scene

VARIANT = "release"
LONG = bool(os.environ.get("AGENT_LONG"))
POINTS = 5
# Parked; refused or not reached before anything was begun.
ENDS = (0, 1, 3, 5, 7)


def points(count: int) -> List[int]:
    """1 to `count`; of a slice some of them, the first and the last among them."""
    if LONG or count <= POINTS:
        return list(range(1, count + 1))
    return sorted({1 + round(step * (count - 1) / (POINTS - 1)) for step in range(POINTS)})


def rotate_cut(scene: Scene, cutter: Cutter, direction: str, at: int) -> None:
    """One rotation whose message `at` is lost."""
    before = scene.published()
    scene.case.say(f"-- {scene.strategy}: cut at message {at} {direction}")
    cutter.begin((direction, at))
    result = scene.case.agent(*scene.args(), env=scene.env, text=scene.text())
    cutter.begin(None)
    assert result.code in ENDS, result
    record = scene.assert_between()
    if result.code == 0:
        scene.assert_after(before, None)
        return
    assert result.json()["rotated"][0]["error"]["message"], result
    resumed = scene.case.agent(*scene.resume_args(), env=scene.env)
    assert scene.is_over(resumed), resumed
    scene.assert_after(before, record)


def cut(case: Case, scene: Scene, cutter: Cutter) -> None:
    """Every chosen message of both directions."""
    case.defer(cutter.stop)
    cutter.begin(None)
    case.agent(*scene.args(), env=scene.env, text=scene.text()).expect(0)
    counts = dict(cutter.counts)
    assert counts[UP] >= 1, counts
    for direction in (UP, DOWN):
        for at in points(counts[direction]):
            rotate_cut(scene, cutter, direction, at)
            del case.log[:-6]


def cut_vault(case: Case, strategy: str) -> None:
    """Between agent and Vault."""
    cutter = Cutter(case.openbao.port, http=True)
    cut(case, SCENES[strategy](case, bao_port=cutter.port), cutter)


def cut_database(case: Case, strategy: str) -> None:
    """Between agent and PostgreSQL."""
    cutter = Cutter(case.postgres.port)
    cut(case, SCENES[strategy](case, pg_port=cutter.port), cutter)


def test_vault_random(case: Case) -> None:
    cut_vault(case, "random")


def test_vault_manual(case: Case) -> None:
    cut_vault(case, "manual")


def test_vault_hook(case: Case) -> None:
    cut_vault(case, "hook")


def test_vault_token(case: Case) -> None:
    cut_vault(case, "token")


def test_vault_pg_two_login(case: Case) -> None:
    cut_vault(case, "pg-two-login")


def test_vault_pg_login(case: Case) -> None:
    cut_vault(case, "pg-login")


def test_vault_static(case: Case) -> None:
    cut_vault(case, "vault-static")


def test_vault_root(case: Case) -> None:
    cut_vault(case, "vault-root")


def test_vault_dynamic(case: Case) -> None:
    cut_vault(case, "vault-dynamic")


def test_database_pg_two_login(case: Case) -> None:
    cut_database(case, "pg-two-login")


def test_database_pg_login(case: Case) -> None:
    cut_database(case, "pg-login")
