"""Values that change while the application runs: found by run.refresh, delivered by run.on_change."""
from __future__ import annotations

import json
import os
from typing import Any, Dict, List

from tests.integration.test_run import leased
from tests.lib.agent import Running
from tests.lib.case import Case
from tests.lib.processes import wait_until
from tests.lib.project import Project
from tests.lib.scripted import Answer, Request, ScriptedHttp

SECRET = {"type": "string", "secret": True, "pattern": "[a-z0-9]+"}
# Each start and each HUP adds a line: what the environment has, and what the file.
APPLICATION = """\
say() { echo "$$ $VALUE $(cat value)" >>seen; }
trap 'say; echo hup >>seen' HUP
trap 'kill -9 $! 2>/dev/null; exit 0' TERM  # one that was just being started may have missed its own
say
while :; do sleep 600 & wait $!; done
"""


class Site:
    """A KV secret, and a contract that has it in the environment and in a file."""

    def __init__(self, case: Case, **run: Any) -> None:
        self.case, self.bao = case, case.openbao
        self.mount = self.bao.kv(2)
        self.values = [case.canaries.new(f"value {turn}") for turn in range(3)]
        self.put(self.values[0])
        Project(case).contract({"VALUE": {**SECRET, "source": f"vault:{self.mount}/app#value"}},
                               files=[{"path": "value", "var": "VALUE"}],
                               run={"refresh": "100ms", "splay": "0s", "status": "unix:agent.sock",
                                    **run})
        case.folder.write("app.sh", APPLICATION)

    def put(self, value: str) -> None:
        """Have the secret be that."""
        self.bao.put(f"{self.mount}/app", {"value": value})

    def start(self) -> Running:
        """The application, started."""
        running = self.case.make_agent().start("run", "--", "sh", "app.sh", env={
            "VAULT_ADDR": self.bao.address, "VAULT_TOKEN": self.bao.token})
        self.wait_for(running, 1)
        return running

    def seen(self) -> List[List[str]]:
        """The lines of the application."""
        path = self.case.folder / "seen"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def wait_for(self, running: Running, lines: int) -> List[List[str]]:
        """Its lines, when there are that many."""
        wait_until(lambda: len(self.seen()) >= lines or running.ended(), f"{lines} lines")
        assert not running.ended(), running.wait()
        return self.seen()

    def metrics(self) -> Dict[str, str]:
        """What run.status says."""
        said = self.case.agent("run", "--probe", "/metrics").expect(0).stdout
        return dict(line.rsplit(" ", 1) for line in said.splitlines() if not line.startswith("#"))

    def end(self, running: Running) -> str:
        """Have it end; what agent said."""
        running.signal(15)
        return running.wait().expect(0).stderr


def test_a_change_starts_the_application_anew(case: Case) -> None:
    site = Site(case)
    running = site.start()
    site.put(site.values[1])
    first, second = site.wait_for(running, 2)
    assert first[1:] == [site.values[0]] * 2 and second[1:] == [site.values[1]] * 2
    assert first[0] != second[0], "another process"
    site.put(site.values[2])
    assert site.wait_for(running, 3)[2][1:] == [site.values[2]] * 2
    assert site.metrics()["agent_changes_total"] == "2"
    assert "a value has changed" in site.end(running)
    assert len(site.seen()) == 3


def test_a_change_can_be_a_signal_or_a_file_alone(case: Case) -> None:
    site = Site(case, on_change="signal:HUP")
    running = site.start()
    site.put(site.values[1])
    lines = site.wait_for(running, 3)
    assert lines[1] == [lines[0][0], site.values[0], site.values[1]], "the same process, a new file"
    assert lines[2] == ["hup"]
    site.end(running)


def test_a_change_can_be_a_command(case: Case) -> None:
    site = Site(case, on_change=["sh", "-c", "echo \"$VALUE\" >hooked"])
    running = site.start()
    site.put(site.values[1])
    hooked = case.folder / "hooked"
    wait_until(lambda: hooked.exists() and hooked.read_text() != "", "the command's file")
    assert hooked.read_text() == site.values[1] + "\n"
    site.end(running)
    assert len(site.seen()) == 1


def test_a_command_that_does_not_end_is_told_when_the_next_change_waits_for_it(case: Case) -> None:
    case.folder.write("hook.sh", "echo \"$VALUE\" >>hooked; read line <go\n")
    os.mkfifo(case.folder / "go")
    site = Site(case, on_change=["sh", "hook.sh"])
    running = site.start()
    hooked = case.folder / "hooked"
    site.put(site.values[1])
    wait_until(hooked.exists, "the command")
    site.put(site.values[2])
    wait_until(lambda: site.metrics()["agent_changes_total"] == "2", "the next change")
    assert hooked.read_text().splitlines() == site.values[1:2]
    (case.folder / "go").write_text("\n")
    wait_until(lambda: len(hooked.read_text().splitlines()) == 2, "the command, once more")
    said = site.end(running)
    assert said.count("the command of on_change still runs") == 1, said
    assert hooked.read_text().splitlines() == site.values[1:3]


def test_a_change_that_breaks_the_contract_is_kept_away(case: Case) -> None:
    site = Site(case)
    running = site.start()
    site.put("NOT as the pattern")
    wait_until(lambda: site.metrics()["agent_change_failures_total"] != "0", "its refusal")
    assert site.metrics()["agent_application_restarts_total"] == "0"
    assert (case.folder / "value").read_text() == site.values[0]
    site.put(site.values[1])
    assert site.wait_for(running, 2)[1][1:] == [site.values[1]] * 2
    said = site.end(running)
    assert "a change breaks the contract; the application keeps what it has" in said, said


def test_what_is_written_again_is_no_change(case: Case) -> None:
    site = Site(case, on_change="none")
    running = site.start()
    before = os.stat(case.folder / "value")
    site.put(site.values[0])
    asked = site.metrics()["agent_last_success_timestamp_seconds"]
    wait_until(lambda: site.metrics()["agent_last_success_timestamp_seconds"] != asked, "a look")
    assert site.metrics()["agent_changes_total"] == "0"
    site.put(site.values[1])
    wait_until(lambda: (case.folder / "value").read_text() == site.values[1], "the file")
    assert os.stat(case.folder / "value").st_ino != before.st_ino
    site.end(running)
    assert len(site.seen()) == 1, "nothing was done to it"


def test_a_source_that_is_away_changes_nothing(case: Case) -> None:
    site = Site(case)
    proxy = case.proxy(site.bao.port)
    text = json.loads((case.folder / "contract.json").read_text())
    text["vault"] = {"address": f"http://127.0.0.1:{proxy.port}", "deadline": "300ms"}
    case.folder.write("contract.json", json.dumps(text))
    running = case.make_agent().start("run", "--", "sh", "app.sh",
                                      env={"VAULT_TOKEN": site.bao.token})
    site.wait_for(running, 1)
    proxy.stop()
    wait_until(lambda: site.metrics()["agent_refresh_failures_total"] != "0", "a look in vain")
    assert case.agent("run", "--probe", "/ready").expect(0).stdout == "ready\n"
    assert "sources could not be asked again; what there is stays" in site.end(running)
    assert len(site.seen()) == 1


def test_an_older_answer_is_none_that_is_new(case: Case) -> None:
    values = [case.canaries.new(f"version {number}") for number in range(4)]
    # Version and the minute in which it was written: a node that lags, and then a secret that was made anew.
    told = [(5, 30), (3, 10), (1, 40)]
    now = [0]

    def answer(request: Request) -> Answer:
        if request.path.startswith("/v1/sys/internal/ui/mounts/"):
            return Answer(body=json.dumps({"data": {"type": "kv", "path": "kv/", "options": {"version": "2"}}}))
        if request.path != "/v1/kv/data/app":
            return Answer(403, json.dumps({"errors": ["permission denied"]}))
        version, minute = told[now[0]]
        return Answer(body=json.dumps({"request_id": "1", "lease_duration": 0, "data": {
            "data": {"value": values[now[0]]},
            "metadata": {"version": version, "created_time": f"2026-01-01T00:{minute}:00Z",
                         "deletion_time": "", "destroyed": False}}}))

    server = ScriptedHttp(answer)
    Project(case).contract({"VALUE": {**SECRET, "source": "vault:kv/app#value"}},
                           files=[{"path": "value", "var": "VALUE"}],
                           run={"refresh": "100ms", "splay": "0s", "status": "unix:agent.sock"})
    case.folder.write("app.sh", APPLICATION)
    running = case.make_agent().start("run", "--", "sh", "app.sh",
                                      env={"VAULT_ADDR": server.address, "VAULT_TOKEN": "t"})
    seen = case.folder / "seen"

    def lines() -> List[str]:
        return seen.read_text().splitlines() if seen.exists() else []

    def failures() -> bool:
        said = case.agent("run", "--probe", "/metrics").stdout
        return "agent_refresh_failures_total 2" in said or running.ended()

    wait_until(lambda: len(lines()) >= 1 or running.ended(), "the first start")
    now[0] = 1
    wait_until(failures, "two answers that are older")
    assert len(lines()) == 1 and (case.folder / "value").read_text() == values[0]
    now[0] = 2
    wait_until(lambda: len(lines()) >= 2 or running.ended(), "the second start")
    assert [line.split()[1] for line in lines()] == [values[0], values[2]]
    running.signal(15)
    said = running.wait().expect(0).stderr
    server.stop()
    assert "'kv/app' was answered with version 3, and version 5 was read before: an older answer" in said, said


def test_a_refusal_is_said_once_and_counted_each_time(case: Case) -> None:
    site = Site(case)
    running = site.start()
    site.put("NOT as the pattern")
    wait_until(lambda: int(site.metrics()["agent_change_failures_total"]) > 2, "three refusals")
    said = site.end(running)
    assert said.count("a change breaks the contract") == 1, said


def test_leases_are_kept_where_the_contract_says_so(case: Case) -> None:
    mount, env = leased(case)
    text = json.loads((case.folder / "contract.json").read_text())
    case.folder.write("contract.json", json.dumps({**text, "run": {"keep_leases": True}}))
    case.agent("run", "--", "true", env=env).expect(0)
    assert len(case.openbao.leases(f"{mount}/creds/app")) == 1
