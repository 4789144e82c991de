"""The supervisor in numbers: every exit code and signal, orphans, signals at random. AGENT_LONG=1 takes
more of each."""
from __future__ import annotations

import os
import random
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Dict, List, Set, Tuple

from tests.lib.case import Case
from tests.lib.processes import wait_until
from tests.lib.supervised import FATAL, Supervised, application, modes, state

VARIANT = "release"  # thousands of processes
LONG = bool(os.environ.get("AGENT_LONG"))
ORPHANS = 100000 if LONG else 2000
SCHEDULES = 10000 if LONG else 200
SHORT_RUNS = 10000 if LONG else 100
BURST = 12
MARK, LEAVE = 64, 63
RESIDENT_KB = 2400  # twice tini's, the small reaper of containers
# TERM begins the end; what stops us or tells of a child is not forwarded; libc keeps 32 and 33.
FORWARDED = [number for number in range(1, 63)
             if number not in (32, 33, signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD)]


def ends(case: Case, first: bool, runs: List[Tuple[str, int]]) -> List[int]:
    """The exit codes of applications that do these."""
    path = application(case)

    def one(run: Tuple[str, int]) -> int:
        started = Supervised(case, [path, run[0], str(run[1])], first)
        return started.wait().code

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, runs))


def test_every_exit_code_and_every_signal_is_told_exactly(case: Case) -> None:
    runs = [("exit", code) for code in range(256)] + [("die", number) for number in FATAL]
    wanted = [code for code in range(256)] + [128 + number for number in FATAL]
    for first in modes(case):
        assert ends(case, first, runs) == wanted, first


def test_an_application_that_ends_at_once_is_not_missed(case: Case) -> None:
    assert set(ends(case, False, [("exit", 7)] * SHORT_RUNS)) == {7}


def test_exit_codes_are_mapped_where_the_contract_says_so(case: Case) -> None:
    run = {"exit_codes": {"143": 0, "0": 3, "7": 255}}
    for first in modes(case):
        for words, code in ((["exit", "0"], 3), (["exit", "7"], 255), (["exit", "8"], 8),
                            (["die", "15"], 0), (["die", "9"], 137)):
            Supervised(case, [application(case), *words], first, run=run).wait().expect(code)


def test_no_orphan_is_left(case: Case) -> None:
    for first in modes(case):
        started = Supervised(case, [application(case), "orphans", str(ORPHANS)], first)
        started.wait(600).expect(0)  # it ends when all are reaped


def test_no_signal_is_lost_whatever_their_order(case: Case) -> None:
    dice = random.Random(7)
    for first in modes(case):
        started = Supervised(case, [application(case), "count"], first)
        assert started.line() == "ready"
        pid = started.pid
        for _ in range(SCHEDULES):
            sent = Counter(dice.choice(FORWARDED) for _ in range(dice.randrange(BURST)))
            order = list(sent.elements())
            dice.shuffle(order)
            for number in order:
                os.kill(pid, number)
            os.kill(pid, MARK)
            came = counted(started.line())
            # Those of real time are counted; of others, several that wait are one.
            assert {n: c for n, c in came.items() if n >= 34} == \
                {n: c for n, c in sent.items() if n >= 34}, (sent, came)
            assert not_undone(order) <= set(came) <= set(order), (order, came)
        os.kill(pid, LEAVE)
        started.wait().expect(0)


def counted(line: str) -> Dict[int, int]:
    """`12:1 34:3 ` as numbers."""
    pairs = [entry.split(":") for entry in line.split()]
    return {int(number): int(count) for number, count in pairs}


def not_undone(order: List[int]) -> Set[int]:
    """Those sent that must come: CONT and the stop signals take each other away while they wait
    (signal(7))."""
    stops = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
    last = {number: at for at, number in enumerate(order)}
    last_cont = last.get(signal.SIGCONT, -1)
    last_stop = max(last.get(number, -1) for number in stops)
    return {number for number, at in last.items()
            if not (number in stops and at < last_cont)
            and not (number == signal.SIGCONT and at < last_stop)}


def test_as_pid_1_it_is_small_while_nothing_happens(case: Case) -> None:
    if not modes(case)[0]:
        case.skip("no PID namespace can be made here")
    started = Supervised(case, [application(case), "deaf"], True)
    assert started.line() == "ready"
    pid = started.pid
    wait_until(lambda: state(pid) == "S", "its sleep")
    status = Path(f"/proc/{pid}/status").read_text()
    resident = int(status.partition("VmRSS:")[2].split()[0])
    case.say(status)
    assert resident < RESIDENT_KB
