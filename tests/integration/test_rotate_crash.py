"""kill -9 at a system call of a rotation, for each strategy; then `--resume`.

Whatever the call was: something that is published, or recorded, logs in at that instant; whoever resumes
ends with one new secret current, the former refused and nothing open. `make test` takes POINTS of each
strategy; `make crash` (AGENT_LONG=1) every one.
"""
from __future__ import annotations

import os
import signal
from typing import List, Tuple

from tests.lib.agent import Result
from tests.lib.case import Case
from tests.lib.processes import ROOT
from tests.lib.rotation import SCENES, Scene

VARIANT = "release"
LONG = bool(os.environ.get("AGENT_LONG"))
POINTS = 60
KILLED = 128 + signal.SIGKILL
KILLAT = ROOT / "build" / "release" / "crash" / "killat"


def run(scene: Scene, at: int) -> Tuple[Result, int, int]:
    """One rotation that dies at its call `at` (0: at none); how many calls it made, and its first connect."""
    report = scene.case.folder.path / "killat"
    result = scene.case.tool(str(KILLAT), str(at), str(report),
                             str(scene.case.make_agent().binary), *scene.args(),
                             env=scene.env, text=scene.text())
    calls, first_connect = report.read_text().split()
    return result, int(calls), int(first_connect)


def points(calls: int, first_connect: int) -> List[int]:
    """All of them; of a slice a few before the first connection, and the others behind it."""
    if LONG:
        return list(range(1, calls + 1))
    early, late = POINTS // 10, POINTS - POINTS // 10
    chosen = {1 + step * (first_connect - 1) // early for step in range(early)}
    chosen |= {first_connect + step * (calls - first_connect) // (late - 1) for step in range(late)}
    return sorted(chosen)


def go_on(scene: Scene) -> None:
    """`--resume`, until nothing is open."""
    result = scene.case.agent(*scene.resume_args(), env=scene.env)
    assert scene.is_over(result), result


def die_at(scene: Scene, at: int) -> bool:
    """Kill it there, look, go on, look again. False: it ended before."""
    before = scene.published()
    scene.case.say(f"-- {scene.strategy}: killed at call {at}")
    result, _, _ = run(scene, at)
    assert result.code in (KILLED, 0), result
    record = scene.assert_between()
    go_on(scene)
    scene.assert_after(before, record)
    return result.code == KILLED


def sweep(case: Case, strategy: str) -> None:
    """Death at each point of one strategy's rotation."""
    scene = SCENES[strategy](case)
    before = scene.published()
    result, calls, first_connect = run(scene, 0)
    result.expect(0)
    scene.assert_after(before, None)
    assert 0 < first_connect < calls, (first_connect, calls)
    died, chosen = 0, points(calls, first_connect)
    for at in chosen:
        died += die_at(scene, at)
        del case.log[:-6]  # what is shown is about the last point
    if LONG:
        print(f"{strategy}: {len(chosen)}/{len(chosen)} points, killed at {died}")
    # How many calls one makes differs by some: how often it polls depends on the servers.
    assert died >= len(chosen) * 9 // 10, (died, len(chosen))


def test_random(case: Case) -> None:
    sweep(case, "random")


def test_manual(case: Case) -> None:
    sweep(case, "manual")


def test_hook(case: Case) -> None:
    sweep(case, "hook")


def test_token(case: Case) -> None:
    sweep(case, "token")


def test_pg_two_login(case: Case) -> None:
    sweep(case, "pg-two-login")


def test_pg_login(case: Case) -> None:
    sweep(case, "pg-login")


def test_vault_static(case: Case) -> None:
    sweep(case, "vault-static")


def test_vault_root(case: Case) -> None:
    sweep(case, "vault-root")


def test_vault_dynamic(case: Case) -> None:
    sweep(case, "vault-dynamic")
