"""What Vault lent is kept valid while the application runs: renewed, replaced, revoked; and the parent that
does it stays small and knows no more than it has to."""
from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, List, Optional, Set

from tests.lib.agent import Running
from tests.lib.case import Case, lacks
from tests.lib.memory import places_of
from tests.lib.processes import wait_until
from tests.lib.project import Project
from tests.lib.scripted import Answer, Request
from tests.lib.servers import OpenBao
from tests.lib.supervised import children

CALM = True  # leases of two to five seconds
LONG = os.environ.get("AGENT_LONG") == "1"
RENEWALS = 2000 if LONG else 3
PATIENCE = 4 * 3600.0 if LONG else 120.0
SECRET = {"type": "string", "secret": True}
# Logs in every 100 ms with what the file has, and writes what came of it.
APPLICATION = """\
import sys, time, psycopg
with open("seen", "a", buffering=1) as seen:
    while True:
        url = open("url").read()
        try:
            with psycopg.connect(url, connect_timeout=20) as connection:
                print("in", connection.info.user, file=seen)
        except Exception as problem:
            print("refused", str(problem).replace("\\n", " "), file=seen)
        time.sleep(0.1)
"""
STARTS = """\
trap 'kill -9 $! 2>/dev/null; exit 0' TERM  # one that was just being started may have missed its own
echo "$$ $U" >>seen
while :; do sleep 600 & wait $!; done
"""


class Between:
    """Stands before the shared OpenBao, and holds requests for paths with HOLDS in them, until `release`."""

    def __init__(self, case: Case, holds: str) -> None:
        self.holds, self.held = holds, threading.Event()
        self._bao, self._go = case.openbao, threading.Event()
        self.address = case.scripted(self._forward).address
        case.defer(self.release)

    def release(self) -> None:
        """Nothing is held any more."""
        self._go.set()

    def _forward(self, request: Request) -> Optional[Answer]:
        if self.holds and self.holds in request.path and not self._go.is_set():
            self.held.set()
            self._go.wait()
            return None
        asked = urllib.request.Request(self._bao.address + request.path, method=request.method,
                                       data=request.body or None, headers={
            name: value for name, value in request.headers.items() if name.lower().startswith("x-vault-")})
        try:
            with urllib.request.urlopen(asked) as answer:
                return Answer(answer.status, answer.read())
        except urllib.error.HTTPError as problem:
            return Answer(problem.code, problem.read())


class Site:
    """A database whose logins are leased for seconds, and who may have them, for as little."""

    def __init__(self, case: Case, bao: Optional[OpenBao] = None, ttl: str = "4s",
                 max_ttl: str = "9s", token_ttl: str = "4s", token_max_ttl: str = "9s",
                 address: Optional[str] = None, port: Optional[int] = None, **run: Any) -> None:
        self.case, self.bao = case, bao or case.openbao
        self.database = case.database()
        self.mount = self.bao.database_engine(case.postgres, self.database.name, ttl=ttl,
                                              max_ttl=max_ttl)
        self.creds = f"{self.mount}/creds/app"
        policy = self.bao.policy({self.creds: ["read"], "sys/leases/revoke": ["update"]})
        self.role = self.bao.approle([policy], token_ttl=token_ttl, token_max_ttl=token_max_ttl)
        case.canaries.add("secret id", self.role.secret_id)
        server = case.postgres
        where = f"127.0.0.1:{port or server.port}/{self.database.name}?sslmode=disable"
        Project(case).contract(
            {"U": {**SECRET, "type": "postgres-url", "compose": "postgresql://{user|url}:{password|url}@" + where,
                   "source": {"user": f"vault:{self.creds}#username",
                              "password": f"vault:{self.creds}#password"}}},
            vault={"address": address or self.bao.address, "deadline": "2s",
                   "auth": {"method": "approle", "mount": self.role.mount,
                            "role_id": "env:ROLE_ID", "secret_id": "env:SECRET_ID"}},
            files=[{"path": "url", "var": "U"}],
            run={"splay": "0s", "status": "unix:agent.sock", **run})
        case.folder.write("app.py", APPLICATION)
        case.folder.write("app.sh", STARTS)
        self.running: Optional[Running] = None

    def start(self, *command: str, **env: str) -> Running:
        """The application, started, with more in its environment."""
        self.running = self.case.make_agent().start(
            "run", "--", *command,
            env={"ROLE_ID": self.role.role_id, "SECRET_ID": self.role.secret_id, **env})
        self.until(lambda: len(self.seen()) > 0, "the application")
        return self.running

    def until(self, happened: Any, what: str, seconds: float = 60.0) -> None:
        """Wait for it, while agent runs."""
        assert self.running is not None
        wait_until(lambda: bool(happened()) or self.running.ended(), what, seconds=seconds)
        assert not self.running.ended(), self.running.wait()

    def seen(self) -> List[str]:
        """The lines of the application."""
        path = self.case.folder / "seen"
        return path.read_text().splitlines() if path.exists() else []

    def metric(self, name: str) -> float:
        """One number of run.status; 0 while it can't be asked."""
        said = self.case.agent("run", "--probe", "/metrics").stdout
        found = re.search(rf"^agent_{name}(?:{{.*}})? (\S+)$", said, re.M)
        return float(found.group(1)) if found else 0.0

    def end(self) -> str:
        """Have it end; what agent said."""
        assert self.running is not None
        self.running.signal(signal.SIGTERM)
        return self.running.wait().stderr

    def tokens(self) -> List[str]:
        """The accessors of the tokens that our role has now."""
        found = []
        for accessor in self.bao.request("LIST", "auth/token/accessors")["data"]["keys"]:
            try:
                told = self.bao.write("auth/token/lookup-accessor", {"accessor": accessor})
            except Exception:  # it ended meanwhile
                continue
            if told["data"]["path"] == f"auth/{self.role.mount}/login":
                found.append(accessor)
        return found


def test_credentials_that_live_for_seconds_are_never_dead_ones(case: Case) -> None:
    lives = {"ttl": "5s", "max_ttl": "30s"} if LONG else {"ttl": "3s", "max_ttl": "5s"}
    site = Site(case, on_change="none", **lives, **{f"token_{name}": life for name, life in lives.items()})
    site.start(sys.executable, "app.py")
    site.until(lambda: site.metric("renewals_total") >= RENEWALS, "renewals", PATIENCE)
    site.until(lambda: len(set(site.seen())) >= 2, "new logins, as the time of each was over")
    said = site.end()
    assert [line for line in site.seen() if not line.startswith("in ")] == [], said
    wait_until(lambda: site.bao.leases(site.creds) == [] and site.tokens() == [], "the end of all leases")


def test_a_restart_gets_new_credentials_and_the_old_ones_are_revoked_behind_it(case: Case) -> None:
    # No splay goes beyond the end of what the application has.
    site = Site(case, ttl="4s", max_ttl="4s", token_ttl="10m", token_max_ttl="1h", splay="1h")
    site.start("sh", "app.sh")
    first = site.bao.leases(site.creds)
    assert len(first) == 1
    site.until(lambda: len(site.seen()) >= 2, "the next start")
    before, after = site.seen()[:2]
    assert before.split()[0] != after.split()[0] and before.split()[1] != after.split()[1]
    site.until(lambda: first[0] not in site.bao.leases(site.creds), "the end of the former lease")
    site.end()
    wait_until(lambda: site.bao.leases(site.creds) == [] and site.tokens() == [], "the end of all leases")


def test_new_credentials_that_do_not_log_in_are_not_handed_over(case: Case) -> None:
    refuse_new_credentials(case, None)


def test_new_credentials_that_were_refused_are_not_untried_when_the_database_hangs_then(case: Case) -> None:
    proxy = case.proxy(case.postgres.port)
    proxy.serves = 1
    said = refuse_new_credentials(case, proxy.port)
    assert len(proxy.connections) > 1 and "is not permitted to log in" in said, said


def refuse_new_credentials(case: Case, port: Optional[int]) -> str:
    """The engine's roles may not log in; the first of them is tried by nobody. The trial of the next one
    outlives the old one. What agent said."""
    site = Site(case, ttl="4s", max_ttl="4s", token_ttl="10m", token_max_ttl="1h", port=port, on_change="none")
    site.bao.write(f"{site.mount}/roles/app", {
        "db_name": "main", "default_ttl": "4s", "max_ttl": "4s",
        "creation_statements": ["CREATE ROLE \"{{name}}\" NOLOGIN PASSWORD '{{password}}'"],
        "revocation_statements": ["DROP ROLE IF EXISTS \"{{name}}\""]})
    site.start("sh", "app.sh")
    url = (case.folder / "url").read_text()
    site.until(lambda: site.metric("renewal_failures_total") >= 1 or site.metric("changes_total") >= 1, "a change")
    is_same, changes = (case.folder / "url").read_text() == url, site.metric("changes_total")
    said = site.end()
    assert is_same and changes == 0, said
    assert not lacks(said, ["'U': the new login was tried"]), said
    assert len(site.seen()) == 1
    return said


def test_vault_away_or_sealed_is_no_reason_to_stop(case: Case) -> None:
    bao = case.openbao_of_its_own()
    site = Site(case, bao, ttl="3s", max_ttl="1h", token_ttl="1h", token_max_ttl="2h", on_change="none")
    site.start(sys.executable, "app.py")
    os.kill(bao.program.pid, signal.SIGSTOP)
    try:
        site.until(lambda: site.metric("renewal_failures_total") >= 1, "a renewal in vain")
    finally:
        os.kill(bao.program.pid, signal.SIGCONT)
    done = site.metric("renewals_total")
    site.until(lambda: site.metric("renewals_total") > done, "it goes on")
    bao.seal()
    failed = site.metric("renewal_failures_total")
    site.until(lambda: site.metric("renewal_failures_total") > failed, "a sealed Vault")
    bao.unseal()
    done = site.metric("renewals_total") + site.metric("changes_total")
    site.until(lambda: site.metric("renewals_total") + site.metric("changes_total") > done, "it goes on again")
    assert case.agent("run", "--probe", "/live").code == 0
    said = site.end()
    assert not lacks(said, ["Vault is sealed", "valid_until=", "seconds_left=", "Vault answers again"]), said
    assert said.count("valid_until=") <= 3, said  # once for each trouble, and once a minute


def test_stopped_until_all_that_was_lent_has_ended(case: Case) -> None:
    site = Site(case, ttl="2s", max_ttl="1h", token_ttl="2s", token_max_ttl="1h")
    running = site.start("sh", "app.sh")
    first = site.bao.leases(site.creds)
    running.signal(signal.SIGSTOP)
    try:
        wait_until(lambda: first[0] not in site.bao.leases(site.creds) and site.tokens() == [],
                   "the end of the lease and of the token")
    finally:
        running.signal(signal.SIGCONT)
    site.until(lambda: len(site.seen()) >= 2, "the next start, with new ones")
    before, after = site.seen()[:2]
    assert before.split()[1] != after.split()[1]
    assert "error " not in site.end()
    wait_until(lambda: site.bao.leases(site.creds) == [] and site.tokens() == [], "the end of all leases")


def test_a_revocation_that_hangs_keeps_no_renewal_waiting(case: Case) -> None:
    between = Between(case, "/v1/sys/leases/revoke")
    site = Site(case, ttl="3s", max_ttl="6s", token_ttl="10m", token_max_ttl="1h", address=between.address)
    site.start("sh", "app.sh")
    site.until(between.held.is_set, "the end of the first lease")
    done = site.metric("renewals_total") + site.metric("changes_total")
    site.until(lambda: site.metric("renewals_total") + site.metric("changes_total") >= done + 2,
               "renewals beside it", 20.0)  # a revocation alone may take 30 s
    site.end()


def test_a_stop_by_the_terminal_leaves_no_token(case: Case) -> None:
    # ^C and ^\\ are sent to all of agent's group, and agent asks its child to end besides.
    for number in (signal.SIGINT, signal.SIGQUIT):
        between = Between(case, "/creds/")
        site = Site(case, token_ttl="1h", token_max_ttl="2h", address=between.address)
        running = case.make_agent().start("run", "--", "sh", "app.sh", env={
            "ROLE_ID": site.role.role_id, "SECRET_ID": site.role.secret_id})
        wait_until(lambda: between.held.is_set() or running.ended(), "the request behind the log in")
        os.killpg(running.pid, number)
        said = running.wait().expect(128 + number).stderr
        assert f"stopped by {number.name}" in said, said
        assert site.tokens() == []


def test_an_end_while_a_new_token_is_put_to_use_leaves_none(case: Case) -> None:
    between = Between(case, "")
    site = Site(case, ttl="1h", max_ttl="2h", address=between.address)
    role = f"auth/{site.role.mount}/role/app"
    site.bao.write(role, {"token_ttl": "3s", "token_explicit_max_ttl": "3s"})
    running = site.start("sh", "app.sh")
    site.bao.write(role, {"token_ttl": "1h", "token_max_ttl": "2h", "token_explicit_max_ttl": 0})
    between.holds = "/creds/"
    site.until(between.held.is_set, "new credentials of a new token")
    [child] = [pid for pid in children(running.pid) if str(pid) != site.seen()[0].split()[0]]
    assert len(open_there(child) & open_there(running.pid)) == 2, "the pipes between the two, and no more"
    running.signal(signal.SIGTERM)
    running.wait().expect(0)
    between.release()
    wait_until(lambda: site.tokens() == [] and site.bao.leases(site.creds) == [], "the end of both tokens",
               seconds=30.0)


def open_there(pid: int) -> Set[str]:
    """What a process has open besides 0, 1 and 2."""
    folder = Path(f"/proc/{pid}/fd")
    return {os.readlink(entry) for entry in folder.iterdir() if int(entry.name) > 2}


def test_without_a_contract_leased_references_are_kept_valid_too(case: Case) -> None:
    site = Site(case, ttl="4s", max_ttl="4s", token_ttl="10m", token_max_ttl="1h")
    (case.folder / "contract.json").unlink()
    case.folder.write("app.sh", STARTS)
    site.start("sh", "app.sh", U=f"vault:{site.creds}#username", VAULT_ADDR=site.bao.address,
               VAULT_TOKEN=site.bao.token)
    first = site.bao.leases(site.creds)
    site.until(lambda: len(site.seen()) >= 2, "the next start")
    before, after = site.seen()[:2]
    assert before.split()[0] != after.split()[0] and before.split()[1] != after.split()[1]
    site.until(lambda: first[0] not in site.bao.leases(site.creds), "the end of the former lease")
    site.end()
    assert site.bao.leases(site.creds) == [], "the token was given; what was leased with it was not"


def test_the_password_of_a_static_role_is_read_again_when_it_was_rotated(case: Case) -> None:
    bao, login = case.openbao, case.postgres.role()
    mount = bao.static_role(case.postgres, "postgres", login.name, period="5s")
    Project(case).contract({"U": {**SECRET, "source": f"vault:{mount}/static-creds/app#password"}},
                           run={"splay": "0s"})
    case.folder.write("app.sh", STARTS)
    running = case.make_agent().start("run", "--", "sh", "app.sh", env={
        "VAULT_ADDR": bao.address, "VAULT_TOKEN": bao.token})
    wait_until(lambda: len(lines_of(case)) >= 2 or running.ended(), "the next password")
    running.signal(signal.SIGTERM)
    said = running.wait().stderr
    before, after = lines_of(case)[:2]
    assert before.split()[1] != after.split()[1], said


def test_a_static_role_whose_rotation_is_late_is_not_forgotten(case: Case) -> None:
    """As OpenBao answers while the database is away: ttl 0, the former password."""
    asked: List[str] = []

    def answer(request: Request) -> Answer:
        if not request.path.endswith("/static-creds/app"):
            return Answer(403, '{"errors":["permission denied"]}')
        asked.append(request.path)
        late = len(asked) < 3
        return Answer(200, json.dumps({"lease_id": "", "lease_duration": 0, "renewable": False, "data": {
            "username": "app", "password": "first-password" if late else "next-password",
            "last_vault_rotation": "2026-11-26T11:39:23Z", "rotation_period": 3600, "ttl": 0 if late else 3600}}))

    server = case.scripted(answer)
    Project(case).contract({"U": {**SECRET, "source": "vault:database/static-creds/app#password"}},
                           vault={"address": server.address}, run={"splay": "0s"})
    case.folder.write("app.sh", STARTS)
    running = case.make_agent().start("run", "--", "sh", "app.sh", env={"VAULT_TOKEN": "a-token-of-somebody"})
    wait_until(lambda: len(lines_of(case)) >= 2 or running.ended(), "the next password")
    running.signal(signal.SIGTERM)
    said = running.wait().stderr
    assert [line.split()[1] for line in lines_of(case)[:2]] == ["first-password", "next-password"], said


def lines_of(case: Case) -> List[str]:
    """What the application has written."""
    path = case.folder / "seen"
    return path.read_text().splitlines() if path.exists() else []


def test_a_worker_that_is_killed_is_one_attempt_in_vain(case: Case) -> None:
    bao = case.openbao_of_its_own()
    site = Site(case, bao, ttl="3s", max_ttl="1h", token_ttl="1h", token_max_ttl="2h")
    running = site.start("sh", "app.sh")
    os.kill(bao.program.pid, signal.SIGSTOP)  # so that the worker is there to be seen
    try:
        site.until(lambda: workers(running.pid), "a worker")
        os.kill(workers(running.pid)[0], signal.SIGKILL)
    finally:
        os.kill(bao.program.pid, signal.SIGCONT)
    site.until(lambda: site.metric("renewal_failures_total") >= 1, "an attempt in vain")
    site.until(lambda: site.metric("renewals_total") >= 1, "the next one")
    said = site.end()
    assert not lacks(said, ["ended without an answer: it was killed by SIGKILL"]), said


def workers(pid: int) -> List[int]:
    """The children of agent that are agent itself."""
    own = Path(f"/proc/{pid}/comm").read_text()
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            if Path(f"/proc/{child}/comm").read_text() == own:
                found.append(int(child))
        except OSError:  # it has ended
            continue
    return found


def test_the_parent_has_secrets_in_one_place(case: Case) -> None:
    case.needs_a_look_inside()
    site = Site(case, ttl="10m", max_ttl="1h", token_ttl="10m", token_max_ttl="1h")
    running = site.start("sh", "app.sh")
    url = (case.folder / "url").read_text()
    password = url.split(":")[2].split("@")[0]
    found = [mapping for _, mapping in places_of(running.pid, [password.encode()])]
    assert len(found) == 1, [str(each) for each in found]
    # A sanitizer does without mlock.
    assert found[0].locked or "asan" in str(case.make_agent().binary), str(found[0])
    libraries = Path(f"/proc/{running.pid}/maps").read_text()
    assert not re.search(r"libcurl|libssl|libcrypto|libpq", libraries), libraries
    site.end()
