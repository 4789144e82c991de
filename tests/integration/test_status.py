"""run.status, `run --probe`, and what the service manager is told."""
from __future__ import annotations

import os
import signal
import socket
import sys
import time
import urllib.request
from typing import Any, Dict, List, Optional

from tests.lib.agent import Running
from tests.lib.case import Case, lacks
from tests.lib.processes import free_port, wait_until
from tests.lib.project import Project
from tests.lib.supervised import in_both_modes

CLIENTS = 16
REQUEST = b"GET /ready HTTP/1.1\r\nHost: agent\r\n\r\n"
APPLICATION = """\
import os, sys
print(os.environ.get("NOTIFY_SOCKET"), os.environ.get("WATCHDOG_USEC"), flush=True)
open("started", "w").close()
sys.stdin.read()
"""
DEAF = """\
import signal
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, lambda *_: None)
"""


def contract(case: Case, status: Optional[str]) -> None:
    """A contract without variables, and this run.status."""
    Project(case).contract({}, run={"status": status} if status else {})
    case.folder.write("app.py", APPLICATION)


def start(case: Case, *options: str, env: Optional[Dict[str, str]] = None) -> Running:
    """An application that runs until its stdin ends, started."""
    running = case.make_agent().start("run", *options, "--", sys.executable, "app.py", env=env)
    wait_until(lambda: (case.folder / "started").exists() or running.ended(), "its start")
    return running


def ask(address: Any, request: bytes = REQUEST) -> bytes:
    """The whole answer of a server at a path or a port."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.connect(address)
        client.settimeout(30)
        client.sendall(request)
        answer = b""
        while True:
            piece = client.recv(65536)
            if not piece:
                return answer
            answer += piece


def test_the_metrics_are_read_by_prometheus(case: Case) -> None:
    from prometheus_client.parser import text_string_to_metric_families
    port = free_port()
    contract(case, f"127.0.0.1:{port}")
    running = start(case)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        families = {family.name: family for family in
                    text_string_to_metric_families(answer.read().decode())}
    assert not [name for name, family in families.items()
                if family.type == "unknown" or not family.documentation], families
    assert families["agent_application_running"].samples[0].value == 1
    assert abs(families["agent_application_start_time_seconds"].samples[0].value - time.time()) < 600
    assert families["agent_info"].samples[0].labels["version"]
    running.wait().expect(0)


def test_a_lease_has_its_seconds_and_is_named(case: Case) -> None:
    bao, database = case.openbao, case.database()
    mount = bao.database_engine(case.postgres, database.name, ttl="20m")
    case.defer(lambda: bao.request("PUT", f"sys/leases/revoke-prefix/{mount}"))
    case.folder.write("app.py", APPLICATION)
    Project(case).contract({"U": {"source": f"vault:{mount}/creds/app#username"}},
                           run={"status": "unix:agent.sock"})
    running = start(case, env={"VAULT_ADDR": bao.address, "VAULT_TOKEN": bao.token})
    metrics = ask(str(case.folder / "agent.sock"), REQUEST.replace(b"/ready", b"/metrics")).decode()
    line = f'agent_lease_seconds_left{{path="{mount}/creds/app"}} '
    (seconds,) = [int(found[len(line):]) for found in metrics.splitlines() if found.startswith(line)]
    assert 0 < seconds <= 1200, metrics
    running.wait().expect(0)


def test_clients_that_misbehave_are_in_nobodys_way(case: Case) -> None:
    contract(case, "unix:agent.sock")
    running = start(case)
    path, silent = str(case.folder / "agent.sock"), []
    for turn in range(3 * CLIENTS):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        case.defer(client.close)
        client.connect(path)
        client.settimeout(30)
        if turn % 3 == 1:
            client.sendall(b"GET /rea")
        silent.append(client)
    assert ask(path).endswith(b"ready\n")
    assert ask(path, b"\x16\x03\x01" + os.urandom(60) + b"\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert ask(path, b"GET /" + b"x" * 2043).startswith(b"HTTP/1.1 400 "), "longer than a request is"
    assert ask(path, b"POST /ready HTTP/1.1\r\nContent-Length: 9\r\n\r\nunwanted!").startswith(
        b"HTTP/1.1 405 ")
    assert silent[0].recv(1) == b"", "the first has made room"
    assert ask(path).endswith(b"ready\n")
    assert not running.ended()
    running.wait().expect(0)


def test_a_client_that_takes_its_time_is_let_go(case: Case) -> None:
    contract(case, "unix:agent.sock")
    running = start(case)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(60)
        client.connect(str(case.folder / "agent.sock"))
        client.sendall(b"GET /ready HTTP/1.1\r\n")
        assert client.recv(100) == b""
    running.wait().expect(0)


@in_both_modes
def test_what_is_taken_is_said_before_the_start(case: Case) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        contract(case, f"127.0.0.1:{port}")
        result = case.agent("run", "--", "touch", "started").expect(125)
    assert not lacks(result.stderr, [f"run.status: listen at '127.0.0.1:{port}'", "in use", "hint",
                                     "not started (code 2)"]), result
    contract(case, "unix:agent.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(case.folder / "agent.sock"))
        other.listen()
        result = case.agent("run", "--", "touch", "started").expect(125)
        assert "in use" in result.stderr, result
    os.unlink(case.folder / "agent.sock")
    case.folder.write("agent.sock", "somebody's\n")
    result = case.agent("run", "--", "touch", "started").expect(125)
    assert "listen at 'unix:agent.sock'" in result.stderr and "in use" in result.stderr, result
    assert (case.folder / "agent.sock").read_text() == "somebody's\n"
    assert not (case.folder / "started").exists()


def test_a_socket_that_was_left_behind_is_taken_over(case: Case) -> None:
    contract(case, "unix:agent.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(case.folder / "agent.sock"))
    running = start(case)
    assert ask(str(case.folder / "agent.sock")).endswith(b"ready\n")
    running.wait().expect(0)
    assert not (case.folder / "agent.sock").exists(), "it goes with its server"


def test_a_probe_is_an_exit_code(case: Case) -> None:
    contract(case, "unix:agent.sock")
    result = case.agent("run", "--probe", "/ready").expect(1)
    assert "ask 'unix:agent.sock'" in result.stderr, result
    running = start(case)
    sock = str(case.folder / "agent.sock")
    for what in ("/ready", sock, f"unix:{sock}"):
        assert case.agent("run", "--probe", what).expect(0).stdout == "ready\n"
    assert case.agent("run", "--probe", "/live").expect(0).stdout == "live\n"
    assert "agent_info" in case.agent("run", "--probe", "/metrics").expect(0).stdout
    assert case.agent("run", "--probe", "/ready", "--json").expect(0).json()["ok"]
    running.wait().expect(0)
    result = case.agent("run", "--probe", "127.0.0.1").expect(2)
    assert "is no address" in result.stderr, result
    contract(case, None)
    result = case.agent("run", "--probe", "/ready").expect(2)
    assert not lacks(result.stderr, ["no run.status to ask", "hint"]), result


class Manager:
    """A service manager's socket."""

    def __init__(self, case: Case) -> None:
        self.path = str(case.folder / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(60)
        case.defer(self._socket.close)

    def hear(self) -> List[str]:
        """The next message's lines."""
        return self._socket.recv(4096).decode().splitlines()


def test_the_service_manager_is_told_while_agent_stays(case: Case) -> None:
    contract(case, None)
    manager = Manager(case)
    running = start(case, "--supervise", env={"NOTIFY_SOCKET": manager.path})
    ready = manager.hear()
    assert ready[0] == "READY=1" and ready[1].startswith("STATUS=The application runs (process "), ready
    result = running.wait().expect(0)
    assert manager.hear()[0] == "STOPPING=1"
    assert result.stdout == "None None\n", "it is not the unit's main process"


def test_the_service_manager_hears_of_a_reload_and_of_an_end_when_it_begins(case: Case) -> None:
    contract(case, None)
    case.folder.write("app.py", DEAF + APPLICATION)
    manager = Manager(case)
    running = start(case, "--supervise", env={"NOTIFY_SOCKET": manager.path})
    assert manager.hear()[0] == "READY=1"
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    running.signal(signal.SIGHUP)
    reloading, ready = manager.hear(), manager.hear()
    assert reloading[0] == "RELOADING=1" and ready == ["READY=1"], (reloading, ready)
    name, usec = reloading[1].split("=")
    assert name == "MONOTONIC_USEC" and int(usec) >= before_us, (reloading, before_us)
    running.signal(signal.SIGUSR1)  # is sent on, and is no reload
    running.signal(signal.SIGTERM)
    assert manager.hear() == ["STOPPING=1", "STATUS=The application is stopped."]
    assert not running.ended(), "it does not listen to TERM"
    running.wait().expect(0)  # its stdin ends, and so does it


def test_the_service_manager_hears_of_a_restart_when_it_begins(case: Case) -> None:
    bao = case.openbao
    mount = bao.kv(2)
    first, second = case.canaries.new("first"), case.canaries.new("second")
    bao.put(f"{mount}/app", {"value": first})
    Project(case).contract({"VALUE": {"type": "string", "secret": True, "source": f"vault:{mount}/app#value"}},
                           run={"refresh": "100ms", "splay": "0s"})
    case.folder.write("app.sh", "trap 'until [ -e go ]; do sleep 0.01; done; exit 0' TERM\n"
                                "trap 'exit 0' USR1; touch started; while :; do sleep 600 & wait $!; done\n")
    manager = Manager(case)
    running = case.make_agent().start("run", "--", "sh", "app.sh", env={
        "VAULT_ADDR": bao.address, "VAULT_TOKEN": bao.token, "NOTIFY_SOCKET": manager.path})
    ready = manager.hear()
    wait_until(lambda: (case.folder / "started").exists() or running.ended(), "its start")
    (case.folder / "started").unlink()
    bao.put(f"{mount}/app", {"value": second})
    assert manager.hear()[0] == "RELOADING=1"
    assert not (case.folder / "started").exists(), "the old one has not ended yet"
    case.folder.write("go", "")
    again = manager.hear()
    assert again[0] == "READY=1" and again[1] != ready[1], "another process"
    wait_until(lambda: (case.folder / "started").exists() or running.ended(), "its second start")
    running.signal(signal.SIGTERM)
    assert manager.hear()[0] == "STOPPING=1"
    running.wait().expect(0)


def test_the_watchdog_is_fed(case: Case) -> None:
    contract(case, None)
    manager = Manager(case)
    env = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "200000"}
    running = start(case, "--supervise", env=env)
    heard: List[str] = []
    while heard.count("WATCHDOG=1") < 3:
        heard += manager.hear()
    assert "READY=1" in heard
    running.wait().expect(0)


def test_what_becomes_the_application_leaves_it_the_service_manager(case: Case) -> None:
    contract(case, None)
    running = start(case, "--replace", env={"NOTIFY_SOCKET": "/run/none", "WATCHDOG_USEC": "5000000"})
    result = running.wait().expect(0)
    assert result.stdout == "/run/none 5000000\n", result
