"""`agent run --redact` for as long as an application runs, while its values come and go."""
from __future__ import annotations

import secrets
import signal
from typing import Any, List

from tests.integration.test_renew import Site as Leased
from tests.lib.case import Case
from tests.lib.project import Project
from tests.lib.supervised import Supervised, modes

VARIANT = "release"  # thousands of shapes
SECRET = {"type": "string", "secret": True}
FORMER_MAX = 256  # agent/redaction.h
ZEROS = "\0" * 24  # what a child finds where a value was
# Says what it has, as many zeros as a value has bytes, and all values that there ever were: at its start, when
# it is told to, at its end.
APPLICATION = """\
say() { printf '%s <%s> ' "$1" "$V0"; head -c 24 /dev/zero; tr '\\n' ' ' <history; echo; }
trap 'say told' HUP
trap 'say ends; exit 0' TERM
say starts
while :; do sleep 0.2; done  # not for long: one that is just being started may miss its TERM
"""


class Years:
    """A KV secret with some fields, a variable for each; `change` gives all of them other values."""

    def __init__(self, case: Case, first: bool, count: int, **run: Any) -> None:
        self.bao, self.count = case.openbao, count
        self.path = f"{self.bao.kv(2)}/app"
        self.values: List[List[str]] = []
        self._history = case.folder / "history"
        Project(case).contract({f"V{i}": {**SECRET, "source": f"vault:{self.path}#f{i}"}
                                for i in range(count)},
                               run={"refresh": "100ms", "splay": "0s", **run})
        case.folder.write("app.sh", APPLICATION)
        self.change()
        self.agent = Supervised(case, ["sh", "app.sh"], first, options=["--redact"],
                                env={"VAULT_ADDR": self.bao.address, "VAULT_TOKEN": self.bao.token})

    def change(self) -> None:
        """Other values, which the application can read before they are brought to it."""
        self.values.append([secrets.token_hex(12) for _ in range(self.count)])
        with open(self._history, "a", encoding="utf-8") as history:
            history.write("".join(f"{value}\n" for value in self.values[-1]))
        self.bao.put(self.path, {f"f{i}": value for i, value in enumerate(self.values[-1])})

    def line(self, word: str) -> List[int]:
        """The next line, which begins with WORD; gives how many of each turn's values are seen in it."""
        text = self.agent.line()
        assert text.startswith(f"{word} <***> {ZEROS}"), text
        return [sum(value in text for value in turn) for turn in self.values]


def test_a_value_is_hidden_as_long_as_somebody_runs_who_had_it_and_no_longer(case: Case) -> None:
    for first in modes(case):
        years = Years(case, first, 1)
        assert years.line("starts") == [0]
        for turn in range(1, 4):
            years.change()
            # Who ends has the last one, and may not know yet that it is none any more.
            assert years.line("ends")[-2:] == [0, 0]
            assert years.line("starts")[-1] == 0
            years.agent.signal(signal.SIGHUP)
            # The first one is known for good; what came between belongs to nobody.
            assert years.line("told") == [0] + [1] * (turn - 1) + [0]
        years.agent.signal(signal.SIGTERM)
        assert years.line("ends") == [0, 1, 1, 0]
        years.agent.wait().expect(0)


def test_of_many_values_that_were_replaced_under_a_running_application_the_youngest_are_hidden(
        case: Case) -> None:
    years = Years(case, True in modes(case), FORMER_MAX + 4, on_change="signal:HUP")
    assert years.line("starts") == [0]
    for turn in (1, 2):
        years.change()
        assert years.line("told") == [0] * (turn + 1), "it runs, and may have each of them"
    years.change()
    assert years.line("told") == [0, 4, 0, 0]
    years.agent.signal(signal.SIGTERM)
    years.line("ends")
    said = years.agent.wait().expect(0).stderr
    assert said.count(f"more than {FORMER_MAX} values were replaced while the application runs") == 1, said


def test_without_a_contract_new_values_are_hidden_too(case: Case) -> None:
    site = Leased(case, ttl="3s", max_ttl="3s", token_ttl="10m", token_max_ttl="1h")
    (case.folder / "contract.json").unlink()
    case.folder.write("app.sh", "trap 'echo ends $U; exit 0' TERM\necho $U >>seen\necho starts $U\n"
                                "while :; do sleep 0.2; done\n")
    agent = Supervised(case, ["sh", "app.sh"], False, options=["--redact"],
                       env={"U": f"vault:{site.creds}#password", "VAULT_ADDR": site.bao.address,
                            "VAULT_TOKEN": site.bao.token})
    for word in ("starts", "ends", "starts", "ends", "starts"):
        assert agent.line() == f"{word} ***"
    agent.signal(signal.SIGTERM)
    agent.wait().expect(0)
    assert len(set(site.seen())) == 3, site.seen()
