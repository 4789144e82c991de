"""A rotation's round trips over a link of 20 ms, against the least that its steps need; and the gap of the
strategy that has one."""
from __future__ import annotations

import json
import statistics
import time
from typing import Dict, List, Tuple

from tests.bench.cases import Bench
from tests.bench.harness import REPETITIONS, BenchError
from tests.bench.report import Row
from tests.lib.case import Case, Shared
from tests.lib.processes import plain_environment
from tests.lib.rotation import SCENES

LINK_MS = 20
QUICK, WARM_UPS = 3, 2
LIMIT = 1.2
# What the steps of pg-two-login need, each behind the one before it. Making a TCP connection costs nothing
# here: the proxy answers for the server.
LEAST: Tuple[Tuple[str, int], ...] = (
    ("Vault: record, secret, admin's URL, whose token it is: read together", 1),
    ("Vault: the record is made, and says set, test, promote, retire, done", 5),
    ("Vault: promote reads the version that it replaces, and replaces it", 2),
    ("Vault: metadata and receipt, together", 1),
    ("Vault: the record is erased", 1),
    ("PostgreSQL: SCRAM of the admin, the current login, the new one, the former one refused", 4 * 3),
    ("PostgreSQL: the admin looks, sets, retires", 3),
    ("PostgreSQL: what the new login may do", 1),
)


def rotate(bench: Bench) -> None:
    """pg-two-login and pg-login, each one rotation after another."""
    bench.report.section("Rotation")
    shared = Shared()
    case = Case("bench", shared, "release")
    try:
        gaps = _gaps(bench, case)
        trips = (_wall_ms(bench, case, LINK_MS) - _wall_ms(bench, case, 0)) / LINK_MS
        least = sum(count for _, count in LEAST)
        bench.report.add(Row("rotate-trips", "`pg-two-login`, round trips in a row", trips,
                             "the least that its steps need", float(least), LIMIT, unit=""))
        for delay, gap in gaps.items():
            bench.report.add(Row("rotate-gap", f"`pg-login`, gap from set to promote, {delay} ms", gap,
                                 "no limit", None))
    finally:
        case.close()
        shared.stop()


def _rotations(bench: Bench, case: Case, strategy: str, delay: float) -> List[Dict[str, float]]:
    vault = case.proxy(case.openbao.port, delay / 2)
    server = case.proxy(case.postgres.port, delay / 2)
    scene = SCENES[strategy](case, bao_port=vault.port, pg_port=server.port)
    found: List[Dict[str, float]] = []
    for _ in range(WARM_UPS + (QUICK if bench.quick else REPETITIONS)):
        began = time.monotonic()
        result = case.tool(bench.agent, *scene.args(), text=scene.text(),
                           env=plain_environment(case.folder.path, scene.env))
        if result.code != 0:
            raise BenchError(f"agent rotate: exit {result.code}: {result.stderr}")
        [one] = json.loads(result.stdout)["rotated"]
        found.append({"wall_ms": 1000 * (time.monotonic() - began), "gap_ms": one.get("gap_ms", 0)})
    return found[WARM_UPS:]


def _wall_ms(bench: Bench, case: Case, delay: float) -> float:
    return statistics.median(one["wall_ms"]
                             for one in _rotations(bench, case, "pg-two-login", delay))


def _gaps(bench: Bench, case: Case) -> Dict[int, float]:
    return {delay: statistics.median(one["gap_ms"]
                                     for one in _rotations(bench, case, "pg-login", delay))
            for delay in (0, LINK_MS)}
