"""Memory fails somewhere in a rotation: it says so, nothing is lost, and --resume ends what was begun."""
from __future__ import annotations

import json
import os

from tests.integration.test_crash import points
from tests.integration.test_fault import LOADER_GIVES_UP, allocations, fault, run_with
from tests.integration.test_rotate import RANDOM, Sealed
from tests.lib.case import Case

VARIANT = "release"
MOST = 1000000 if os.environ.get("AGENT_LONG") else 5
OWN_FAILURES = {1, 2, 3, 4, 7, 9}


def test_memory_fails_in_a_rotation_of_the_sealed_store(case: Case) -> None:
    s = Sealed(case, {"KEY": RANDOM})
    count, whole = allocations(case, ["rotate", "KEY"], s.env)
    whole.expect(0)
    store = case.folder.path / "sealed.json"
    before = store.read_bytes()
    old = s.value("KEY")
    for step in points(count, MOST):
        for behind in ("", "+"):
            store.write_bytes(before)
            result = run_with(case, ["rotate", "KEY"], {
                **s.env, "LD_PRELOAD": fault("failmalloc"), "FAULT_MALLOC": f"{step}{behind}"})
            where = f"allocation {step}{behind} of {count}\n{result}"
            if result.code == 127 and LOADER_GIVES_UP in result.stderr:
                continue
            assert result.code == 0 or (result.code in OWN_FAILURES and result.stderr.strip()), where
            run_with(case, ["rotate", "--resume", "KEY"], s.env).expect(0)
            names = set(json.loads(store.read_text())["values"])
            assert names - {"KEY.receipts"} == {"KEY", ""}, where
            now = run_with(case, ["seal", "get", "KEY"], s.env).expect(0).stdout
            assert len(now) == len(old) and (now != old or result.code != 0), where
