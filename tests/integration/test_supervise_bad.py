"""`agent run` in bad weather: Vault away in each phase, clocks that jump, a machine that sleeps, values that
flap. It never dies of it, never loops hot, and always says what it waits for: as PID 1, and with AGENT_LONG=1
as a plain parent too."""
from __future__ import annotations

import errno
import json
import os
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Dict, List, Mapping

from tests.integration.test_change import Site as Changing
from tests.integration.test_renew import Site
from tests.lib.agent import Result, Running
from tests.lib.case import Case, lacks
from tests.lib.processes import ROOT, plain_environment, wait_until
from tests.lib.project import Project
from tests.lib.servers import OpenBao
from tests.lib.supervised import as_pid_1, children, in_both_modes, state

VARIANT = "release"  # processor time is counted

LONG = os.environ.get("AGENT_LONG") == "1"
AWAY_SECONDS = 600.0 if LONG else 4.0
# All that the parent may use of a processor while it is without Vault, whatever the time.
PARENT_SECONDS = 0.3
SLACK_SECONDS = 20.0  # for a machine that is busy
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
SECRET = {"type": "string", "secret": True}
HOUR, TEN_YEARS = 3600, 10 * 365 * 86400


# ---- what is looked at ---------------------------------------------------------------------------------


class Stopped:
    """Vault takes connections, and answers none, until `resume` or the end of the test."""

    def __init__(self, case: Case, bao: OpenBao) -> None:
        self._pid, self._is_stopped = bao.program.pid, True
        os.kill(self._pid, signal.SIGSTOP)
        case.defer(self.resume)

    def resume(self) -> None:
        """It answers again."""
        if self._is_stopped:
            os.kill(self._pid, signal.SIGCONT)
        self._is_stopped = False


def seconds_used(pid: int) -> float:
    """The processor time of a process, without that of its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def one_value(case: Case, bao: OpenBao, **vault: str) -> Dict[str, str]:
    """A contract with one secret of BAO's; gives the environment."""
    value = case.canaries.new("value")
    bao.put("secret/app", {"value": value})
    Project(case).contract({"VALUE": {**SECRET, "source": "vault:secret/app#value"}}, vault=vault)
    return {"VAULT_ADDR": bao.address, "VAULT_TOKEN": bao.token}


def start(case: Case, env: Mapping[str, str], *command: str) -> Running:
    """`agent run --supervise -- COMMAND`, started."""
    return case.make_agent().start("run", "--supervise", "--", *command, env=env)


def used_until(running: Running, happened: Callable[[], bool]) -> float:
    """What the process and its children used of a processor until that; it must not end before."""
    def used() -> float:
        return sum(seconds_used(pid) for pid in [running.pid, *children(running.pid)])
    before = used()
    wait_until(lambda: happened() or running.ended(), "what it waits for")
    assert not running.ended(), running.wait()
    return used() - before


# ---- Vault is away: before the start, while it fetches, while it renews, at the end ----------------------


@as_pid_1
def test_a_vault_that_is_away_at_the_start_is_waited_for(case: Case) -> None:
    bao = case.openbao_of_its_own()
    env = one_value(case, bao, deadline="60s")

    def begun(away: Callable[[], None], back: Callable[[], None]) -> Result:
        away()
        try:
            running = start(case, env, "touch", "started")
            assert used_until(running, running.has_spoken) < PARENT_SECONDS
            assert not (case.folder / "started").exists()
        finally:
            back()
        result = running.wait().expect(0)
        (case.folder / "started").unlink()
        return result

    for away, back, what in ((bao.seal, bao.unseal, "it answered 503"),
                             (lambda: os.kill(bao.program.pid, signal.SIGSTOP),
                              lambda: os.kill(bao.program.pid, signal.SIGCONT), "no answer yet")):
        said = begun(away, back).stderr
        assert not lacks(said, [f"waiting for Vault at {bao.address}: ", what]), said
        assert said.count("waiting for Vault") <= 2, said  # once in ten seconds


@as_pid_1
def test_a_vault_that_goes_away_between_two_requests_is_waited_for(case: Case) -> None:
    bao = case.openbao_of_its_own()
    site = Site(case, bao)
    proxy = case.proxy(bao.port, delay_ms=200.0)  # time to stop it between the log in and the reading
    text = json.loads((case.folder / "contract.json").read_text())
    text["vault"].update(address=f"http://127.0.0.1:{proxy.port}", deadline="60s")
    case.folder.write("contract.json", json.dumps(text))
    running = start(case, {"ROLE_ID": site.role.role_id, "SECRET_ID": site.role.secret_id},
                    "touch", "started")
    wait_until(lambda: proxy.round_trips >= 1 or running.ended(), "the log in")
    stopped = Stopped(case, bao)
    assert used_until(running, running.has_spoken) < PARENT_SECONDS
    assert not (case.folder / "started").exists()
    stopped.resume()
    said = running.wait().expect(0).stderr
    assert (case.folder / "started").exists() and "no answer yet" in said
    wait_until(lambda: bao.leases(site.creds) == [] and site.tokens() == [], "the end of what it made")


@as_pid_1
def test_away_for_longer_than_all_that_was_lent_lasts(case: Case) -> None:
    bao = case.openbao_of_its_own()
    site = Site(case, bao, ttl="2s", max_ttl="4s", token_ttl="2s", token_max_ttl="4s", on_change="none")
    running = site.start("sh", "app.sh")
    [application] = site.seen()
    url = (case.folder / "url").read_text()
    bao.seal()
    site.until(lambda: site.metric("renewal_failures_total") >= 1, "a renewal in vain")
    used, failures = seconds_used(running.pid), site.metric("renewal_failures_total")
    end = time.monotonic() + AWAY_SECONDS
    site.until(lambda: time.monotonic() > end, "that time", seconds=AWAY_SECONDS + 60)
    # Of the token and of the lease: ever later, and each 15 to 30 seconds at last.
    assert site.metric("renewal_failures_total") - failures <= 2 * (6 + AWAY_SECONDS / 15)
    assert seconds_used(running.pid) - used < PARENT_SECONDS
    assert (case.folder / "url").read_text() == url and site.seen() == [application]
    bao.unseal()
    site.until(lambda: (case.folder / "url").read_text() != url, "new ones", seconds=30.0 + SLACK_SECONDS)
    assert site.seen() == [application], "and it was left in peace"
    said = site.end()
    assert not lacks(said, ["Vault is sealed", "Vault answers again"]), said
    lines = [line for line in said.splitlines() if line.startswith("warn what Vault lent")]
    assert 1 <= len(lines) <= 2 + AWAY_SECONDS / 60, said


@as_pid_1
def test_an_end_without_vault_is_the_applications_end(case: Case) -> None:
    bao = case.openbao_of_its_own()
    site = Site(case, bao, ttl="20s", max_ttl="20s", token_ttl="20s", token_max_ttl="20s")
    running = site.start("sh", "app.sh")
    stopped = Stopped(case, bao)
    running.signal(signal.SIGTERM)
    result = running.wait(20.0).expect(0)
    stopped.resume()
    assert "could not be revoked; it ends by itself" in result.stderr, result


@as_pid_1
def test_an_end_while_a_renewal_hangs_waits_for_nobody(case: Case) -> None:
    bao = case.openbao_of_its_own()
    site = Site(case, bao, ttl="6s", max_ttl="1h", token_ttl="1h", token_max_ttl="2h")
    running = site.start("sh", "app.sh")
    stopped = Stopped(case, bao)
    site.until(lambda: len(children(running.pid)) == 2, "a renewal on its way")
    renewing = children(running.pid)
    running.signal(signal.SIGTERM)
    result = running.wait(20.0).expect(0)
    stopped.resume()
    assert [pid for pid in renewing if state(pid) not in ("", "Z")] == []
    assert "could not be revoked; it ends by itself" in result.stderr, result


@as_pid_1
def test_leases_that_the_end_leaves_are_named(case: Case) -> None:
    bao = case.openbao
    mount = bao.database_engine(case.postgres, case.database().name, ttl="20s", max_ttl="20s")
    proxy = case.proxy(bao.port)
    Project(case).contract({"U": {**SECRET, "source": f"vault:{mount}/creds/app#username"}},
                           vault={"address": f"http://127.0.0.1:{proxy.port}"})
    running = start(case, {"VAULT_TOKEN": bao.token}, "sh", "-c", "touch started; read line")
    wait_until(lambda: (case.folder / "started").exists() or running.ended(), "the application")
    [lease] = bao.leases(f"{mount}/creds/app")
    proxy.stop()  # a token that was given does not end with us, nor what hangs on it
    said = running.wait(text=b"\n").expect(0).stderr
    assert not lacks(said, ["a lease is left to expire", f"{mount}/creds/app/{lease}", "why="]), said


# ---- values that flap, files that can't be written ------------------------------------------------------


@as_pid_1
def test_values_that_flap_are_few_starts_that_are_told(case: Case) -> None:
    site = Changing(case)
    running = site.start()
    used, end = seconds_used(running.pid), time.monotonic() + 6.0
    while time.monotonic() < end:
        site.put("flap" + secrets.token_hex(8))
        assert not running.ended(), running.wait()
    # The second one a second behind the first, then two, then four.
    assert 2 <= len(site.seen()) <= 4, site.seen()
    assert seconds_used(running.pid) - used < 2 * PARENT_SECONDS
    said = site.end(running)
    assert "the application was started only just now: it is started anew later" in said, said
    assert said.count("started anew") <= 2 * len(site.seen()), said


@as_pid_1
def test_no_wait_between_two_restarts_outlasts_what_the_application_holds(case: Case) -> None:
    # Each run is a short one, and the usual wait soon four seconds: a login would end in it, unused.
    site = Site(case, ttl="3s", max_ttl="3s", token_ttl="10m", token_max_ttl="1h")
    site.start("sh", "app.sh")
    site.until(lambda: len(site.seen()) >= 5, "the fifth start")
    changes, restarts = site.metric("changes_total"), site.metric("application_restarts_total")
    said = site.end()
    assert restarts <= changes <= restarts + 1, said
    assert len({line.split()[1] for line in site.seen()}) == len(site.seen()), "a login is one start's"


@as_pid_1
def test_a_link_that_comes_in_a_files_place_is_told_and_not_followed(case: Case) -> None:
    site = Changing(case, on_change="none")
    running = site.start()
    target, place = case.folder.write("kept", "kept\n"), case.folder / "value"
    place.unlink()
    os.symlink("kept", place)
    site.put(site.values[1])
    failures = "agent_change_failures_total"
    wait_until(lambda: int(site.metrics()[failures]) >= 2, "two attempts in vain")
    assert target.read_text() == "kept\n" and place.is_symlink()
    place.unlink()
    wait_until(lambda: place.exists() and place.read_text() == site.values[1], "the file")
    said = site.end(running)
    assert said.count("a change could not be brought to the application") == 1, said
    assert "value' is a symbolic link" in said and len(site.seen()) == 1, said


@as_pid_1
def test_a_disk_that_fills_up_leaves_the_former_file(case: Case) -> None:
    if os.geteuid() != 0:
        case.skip("only root may mount a small file system")
    site = Changing(case, on_change="none")
    text = json.loads((case.folder / "contract.json").read_text())
    text["files"] = [{"path": "small/value", "var": "VALUE"}]
    case.folder.write("contract.json", json.dumps(text))
    agent = case.make_agent()
    mounted = "mkdir small && mount -t tmpfs -o size=16k none small && exec \"$@\""
    running = Running(["unshare", "-m", "sh", "-c", mounted, "sh", *agent.before, str(agent.binary), "run",
                       "--", "sh", "app.sh"],
                      plain_environment(case.folder.path, {"VAULT_ADDR": site.bao.address,
                                                           "VAULT_TOKEN": site.bao.token}),
                      case.folder.path, case.canaries, False, lambda result: case.say(str(result)), case.is_first)
    wait_until(lambda: site.seen() != [] or running.ended(), "the application")
    if running.ended():
        case.skip(f"no mount namespace here: {running.wait()}")
    small = Path(f"/proc/{running.pid}/root{case.folder.path}/small")
    full = small / "full"
    with open(full, "wb") as filling:
        try:
            while True:
                os.write(filling.fileno(), b"x" * 4096)
        except OSError as problem:
            assert problem.errno == errno.ENOSPC
    site.put(site.values[1])
    wait_until(lambda: int(site.metrics()["agent_change_failures_total"]) >= 1, "an attempt in vain")
    assert (small / "value").read_text() == site.values[0]
    assert sorted(os.listdir(small)) == ["full", "value"]
    full.unlink()
    wait_until(lambda: (small / "value").read_text() == site.values[1], "the file")
    assert "No space left" in site.end(running)


# ---- time, and a machine that sleeps ---------------------------------------------------------------------


@as_pid_1
def test_a_wall_clock_that_jumps_changes_no_deadline(case: Case) -> None:
    for seconds in (HOUR, TEN_YEARS) if LONG else (TEN_YEARS,):
        site = Site(case, ttl="5s", max_ttl="1h", token_ttl="1h", token_max_ttl="2h", on_change="none")
        began = time.monotonic()
        site.start("sh", "app.sh", LD_PRELOAD=str(ROOT / "build" / "release" / "fault" / "oddclock.so"),
                   FAULT_CLOCK=str(seconds))
        url = (case.folder / "url").read_text()
        site.until(lambda: site.metric("renewals_total") >= 2, "two renewals")
        done, lasted = site.metric("renewals_total"), time.monotonic() - began
        # At two thirds of five seconds or a little earlier, and not at every look.
        assert done <= 1 + lasted / 2.5, (done, lasted)
        assert (case.folder / "url").read_text() == url and len(site.seen()) == 1
        said = site.end()
        assert "goes on; it is asked again" not in said and "has ended" not in said, said
        (case.folder / "seen").unlink()
        (case.folder / "url").unlink()


class Freezer:
    """A cgroup that stops all that is in it, as a machine that is put to sleep does. Without one: STOP."""

    def __init__(self, case: Case, pids: List[int]) -> None:
        self._pids = pids
        self._folder = Path(f"/sys/fs/cgroup/freezer/agent-test-{os.getpid()}-{pids[0]}")
        try:
            self._folder.mkdir()
            case.defer(self._remove)
            for pid in pids:
                (self._folder / "cgroup.procs").write_text(str(pid))
            self._is_there = True
        except OSError as problem:
            self._is_there = False
            case.say(f"STOP stands in for the freezer: {problem}")

    def freeze(self) -> None:
        """Nothing of it runs, and nothing of it knows."""
        if self._is_there:
            (self._folder / "freezer.state").write_text("FROZEN")
            return
        for pid in self._pids:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        if self._is_there:
            (self._folder / "freezer.state").write_text("THAWED")
            return
        for pid in self._pids:
            os.kill(pid, signal.SIGCONT)

    def _remove(self) -> None:
        (self._folder / "freezer.state").write_text("THAWED")
        for pid in (self._folder / "cgroup.procs").read_text().split():
            Path("/sys/fs/cgroup/freezer/cgroup.procs").write_text(pid)
        self._folder.rmdir()


@as_pid_1
def test_a_sleep_for_longer_than_what_was_lent_lasts(case: Case) -> None:
    site = Site(case, ttl="4s", max_ttl="1h", token_ttl="1h", token_max_ttl="2h", on_change="none")
    running = site.start("sh", "app.sh")
    url = (case.folder / "url").read_text()
    freezer = Freezer(case, [running.pid, *children(running.pid)])
    freezer.freeze()
    try:
        wait_until(lambda: site.bao.leases(site.creds) == [], "the end of what was lent")
    finally:
        freezer.thaw()
    site.until(lambda: (case.folder / "url").read_text() != url, "new ones")
    # What it slept through is one time, not as many as there were; and it is in nobody's way.
    assert len(site.bao.leases(site.creds)) == 1 and len(site.seen()) == 1
    assert site.metric("changes_total") == 1
    assert "error" not in site.end()


# ---- memory that runs out, and applications that end -----------------------------------------------------

# It writes to each page, so that all of it is there: more than its group may have.
GREEDY = "import sys; print('ready', flush=True); data = bytearray(1 << 30); print(len(data))\n"
GROUP_BYTES = 64 * 1024 * 1024


def memory_group(case: Case) -> Path:
    """A cgroup with little memory, empty."""
    name = f"agent-test-{os.getpid()}-{secrets.token_hex(4)}"
    for root, limit in (("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")):
        folder = Path(root) / name
        try:
            folder.mkdir()
        except OSError:
            continue
        case.defer(folder.rmdir)
        if (folder / limit).exists():
            (folder / limit).write_text(str(GROUP_BYTES))
            return folder
    case.skip("no memory cgroup can be made here")
    raise AssertionError


@as_pid_1
def test_an_application_that_is_killed_for_memory_is_137(case: Case) -> None:
    group = memory_group(case)
    case.folder.write("app.py", GREEDY)
    join = f"echo $$ >{group}/cgroup.procs && exec \"$@\""
    for options in ([], ["--redact"]):
        agent = case.make_agent()
        result = case.tool("sh", "-c", join, "sh", *agent.before, str(agent.binary), "run", "--supervise",
                           *options, "--", sys.executable, "app.py")
        if "cgroup.procs" in result.stderr:
            case.skip(f"no process may be put there: {result.stderr}")
        result.expect(137)
        assert result.stdout == "ready\n", result


@as_pid_1
def test_an_application_that_ends_at_once_behind_a_change_is_not_started_again(case: Case) -> None:
    site = Changing(case)
    # The second one ends as soon as it has said that it is there.
    case.folder.write("app.sh", "echo x >>seen; [ $(wc -l <seen) = 1 ] || exit 7\n"
                                "trap 'kill -9 $!; exit 0' TERM; while :; do sleep 600 & wait $!; done\n")
    running = site.start()
    site.put(site.values[1])
    running.wait().expect(7)
    assert len(site.seen()) == 2


@in_both_modes
def test_secrets_that_overlap_are_hidden_whole(case: Case) -> None:
    left, middle, right = (secrets.token_hex(6) for _ in range(3))
    first, second = case.canaries.add("first", left + middle), case.canaries.add("second", middle + right)
    inner = case.canaries.add("one within another", middle)
    Project(case).contract({name: {**SECRET, "source": "env"} for name in ("A", "B", "C")})
    case.folder.write("app.py", "import os, sys, time\n"
                                "for piece in sys.stdin.read().split('/'):\n"
                                "    os.write(1, piece.encode())\n")
    whole = left + middle + right
    text = f"<{whole}>{first}{second}|{second}{first}|/" + "/".join(f"{whole}\n") + "/{end}"
    result = case.agent("run", "--redact", "--", sys.executable, "app.py", text=text.encode(),
                        env={"A": first, "B": second, "C": inner}).expect(0)
    for part in (left, middle, right):
        assert part not in result.stdout, result
    assert result.stdout.startswith("<***>***") and result.stdout.endswith("***\n{end}"), result


@as_pid_1
def test_with_leases_held_and_status_given_it_sleeps(case: Case) -> None:
    if shutil.which("strace") is None:
        case.skip("strace is not here")
    site = Site(case, ttl="1h", max_ttl="2h", token_ttl="1h", token_max_ttl="2h")
    running = site.start("sh", "app.sh")
    wait_until(lambda: state(running.pid) == "S" and len(children(running.pid)) == 1, "its sleep")
    calls = case.folder / "calls"
    tracer = subprocess.Popen(["strace", "-o", str(calls), "-p", str(running.pid)], stderr=subprocess.PIPE)
    case.defer(lambda: (tracer.kill(), tracer.wait()))
    wait_until(lambda: calls.exists() and "epoll_wait" in calls.read_text() or tracer.poll() is not None,
               "the tracer")
    if tracer.poll() is not None:
        case.skip("no process may be traced here")
    time.sleep(60 if LONG else 2)
    assert len(calls.read_text().splitlines()) == 1, calls.read_text()  # the wait that it is in
    tracer.terminate()
    tracer.wait()
    site.end()


# ---- what is missing for a while --------------------------------------------------------------------------


@as_pid_1
def test_without_a_descriptor_it_goes_on_when_there_are_some(case: Case) -> None:
    site = Site(case, ttl="4s", max_ttl="1h", token_ttl="1h", token_max_ttl="2h", on_change="none")
    running = site.start("sh", "app.sh")
    pid, limit = running.pid, resource.prlimit(running.pid, resource.RLIMIT_NOFILE)
    used = seconds_used(pid)
    in_use = len(os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (in_use, limit[1]))
    with socket.socket(socket.AF_UNIX) as client:  # one that can't be taken yet
        client.connect(str(case.folder / "agent.sock"))
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: agent\r\n\r\n")
        end = time.monotonic() + 3.5  # the time of a renewal is in it
        site.until(lambda: time.monotonic() > end, "that time")
        assert seconds_used(pid) - used < PARENT_SECONDS
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
        client.settimeout(30)
        assert client.recv(12) == b"HTTP/1.1 200"
    assert site.metric("renewal_failures_total") >= 1
    site.until(lambda: site.metric("renewals_total") + site.metric("changes_total") >= 1, "a renewal")
    said = site.end()
    assert not lacks(said, ["to a worker: ", "Too many open files", "Vault answers again"]), said


@as_pid_1
def test_a_token_that_is_revoked_behind_its_back_is_replaced_with_what_hung_on_it(case: Case) -> None:
    site = Site(case, ttl="4s", max_ttl="1h", token_ttl="1h", token_max_ttl="2h", on_change="none")
    site.start("sh", "app.sh")
    url, [accessor] = (case.folder / "url").read_text(), site.tokens()
    site.bao.write("auth/token/revoke-accessor", {"accessor": accessor})
    site.until(lambda: (case.folder / "url").read_text() != url, "new ones")
    assert len(site.tokens()) == 1 and site.tokens() != [accessor]
    assert len(site.bao.leases(site.creds)) == 1 and len(site.seen()) == 1
    site.end()
    wait_until(lambda: site.tokens() == [] and site.bao.leases(site.creds) == [], "the end of what it made")
