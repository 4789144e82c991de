"""Eight runners at once: on one secret, and on eight that share a KV path."""
from __future__ import annotations

import json
from typing import Any, Dict, List

from tests.integration.test_rotate import Sealed, Vaulted, held, kv_read, metadata, missing
from tests.lib.agent import Running
from tests.lib.case import Case
from tests.lib.processes import wait_until

RUNNERS = 8


def together(case: Case) -> Dict[str, Any]:
    """Rotations that leave their tests when all of them are there."""
    case.folder.write("meet", "#!/bin/sh\n: >\"here.$$\"\n"
                              f"until [ \"$(ls here.* | wc -l)\" -ge {RUNNERS} ]; do sleep 0.02; done\n",
                      0o755)
    return {"strategy": "random", "bytes": 32, "every": "30d", "test": {"command": ["./meet"]}}


def race(case: Case, env: Dict[str, str], names: List[str]) -> List[Running]:
    agent = case.make_agent()
    return [agent.start("rotate", name, "--json", env=env) for name in names]


def test_of_eight_on_one_secret_one_rotates_and_seven_name_it(case: Case) -> None:
    v = Vaulted(case, {"KEY": held(case)})
    runners = race(case, v.env, ["KEY"] * RUNNERS)
    wait_until(lambda: sum(runner.ended() for runner in runners) == RUNNERS - 1, "seven of eight",
               seconds=60)
    case.folder.write("go", "")
    ended = [runner.wait() for runner in runners]
    assert sorted(result.code for result in ended) == [0] + [7] * (RUNNERS - 1)
    [won] = [result.json()["rotated"][0] for result in ended if result.code == 0]
    for lost in (result.json()["rotated"][0] for result in ended if result.code == 7):
        assert lost["id"] == won["id"] and won["id"] in lost["error"]["message"]
        assert lost["by"] and lost["started"] and lost["ending"] == "open"
    assert v.now()["KEY"] != v.fields["KEY"] and missing(v.bao, v.path + ".pending/KEY")
    assert metadata(v.bao, v.path + ".receipts/KEY")["current_version"] == 1
    assert kv_read(v.bao, v.path)["metadata"]["version"] == 2, "it was written once"


def test_eight_on_eight_secrets_of_one_path_are_all_done(case: Case) -> None:
    names = [f"KEY_{number}" for number in range(RUNNERS)]
    v = Vaulted(case, {name: together(case) for name in names})
    for result in [runner.wait() for runner in race(case, v.env, names)]:
        assert result.expect(0).json()["rotated"][0]["ending"] == "done"
    now = v.now()
    assert all(now[name] != v.fields[name] for name in names)
    assert now["OTHER"] == "stays" and now["count"] == 7
    assert kv_read(v.bao, v.path)["metadata"]["version"] == 1 + RUNNERS, "each wrote once"
    custom = metadata(v.bao, v.path)["custom_metadata"]
    marks = {json.loads(custom[f"agent.{name}"])["id"] for name in names}
    assert len(marks) == RUNNERS, "no one's mark was lost"


def test_eight_in_the_sealed_store_are_all_done(case: Case) -> None:
    names = [f"KEY_{number}" for number in range(RUNNERS)]
    s = Sealed(case, {name: together(case) for name in names})
    for result in [runner.wait() for runner in race(case, s.env, names)]:
        assert result.expect(0).json()["rotated"][0]["ending"] == "done"
    shown = s.rotate("--status", "--json").expect(0).json()["secrets"]
    assert [one["since"] for one in shown] == ["rotation"] * RUNNERS
    assert all(s.value(name) != s.first[name] for name in names)
