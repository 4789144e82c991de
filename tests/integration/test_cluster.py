"""A real cluster of three nodes: nodes that are away, sealed, without a leader, or behind."""
from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional

from tests.integration.test_renew import Site
from tests.lib.agent import Running
from tests.lib.case import Case, lacks
from tests.lib.processes import wait_until
from tests.lib.servers import AppRole, Cluster, Node

SECRETS = 5
ELECTION = "60s"  # at most, on a machine that is busy


class Scene:
    """The cluster, whole, for this test alone; secrets in it, and contracts that want them."""

    def __init__(self, case: Case, cluster: Cluster) -> None:
        self.case, self.cluster = case, cluster
        self.values = {f"S{i}": case.canaries.new(f"secret {i}") for i in range(SECRETS)}
        folder = case.canaries.new("the folder")[-12:]
        self.paths = {name: f"secret/{folder}/{name}" for name in self.values}
        for name, path in self.paths.items():
            cluster.put(path, {"f": self.values[name]})
        self.policies = [cluster.policy({f"secret/data/{folder}/*": ["read"]})]
        cluster.settle()

    def approle(self) -> AppRole:
        """Who may read them."""
        role = self.cluster.approle(self.policies)
        self.case.canaries.add("secret id", role.secret_id)
        self.cluster.settle()  # a standby that has not heard of it yet says that there is none
        return role

    def contract(self, addresses: List[str], role: Optional[AppRole] = None, **more: Any) -> None:
        """Write the contract: where Vault is, and who we are (no role: a token)."""
        # A standby that can't hand on a write names the leader as it calls itself.
        vault: Dict[str, Any] = {"addresses": addresses, "deadline": ELECTION,
                                 "redirect_hosts": self.cluster.addresses, **more}
        if role is not None:
            vault["auth"] = {"method": "approle", "mount": role.mount, "role_id": role.role_id,
                             "secret_id": "env:SECRET_ID"}
        self.case.folder.write("contract.json", json.dumps({
            "contract": 1, "vault": vault,
            "vars": {name: {"secret": True, "source": f"vault:{path}#f"}
                     for name, path in self.paths.items()}}))

    def start(self, role: Optional[AppRole] = None) -> Running:
        """Start to fetch them."""
        env = {"SECRET_ID": role.secret_id} if role else {"VAULT_TOKEN": self.cluster.token}
        return self.case.make_agent().start("fetch", "--format=json", env=env, prints_secrets=True)

    def gets_all(self, running: Running) -> str:
        """It got every one; gives what it said."""
        result = running.wait().expect(0)
        assert result.json() == self.values
        return result.stderr


@contextmanager
def scene(case: Case) -> Iterator[Scene]:
    """One test at a time has the cluster, and has it whole."""
    cluster: Cluster = case.once("cluster", Cluster)
    with cluster.lock:
        case.canaries.add("root token of the cluster", cluster.token)
        cluster.whole()
        yield Scene(case, cluster)


def proxied(case: Case, cluster: Cluster, delay_ms: float) -> List[Any]:
    """A proxy before each node, the leader's first."""
    leader = cluster.leader()
    assert leader is not None
    return [case.proxy(node.port, delay_ms) for node in [leader, *cluster.standbys()]]


def addresses_of(proxies: List[Any]) -> List[str]:
    """Their addresses."""
    return [f"http://127.0.0.1:{proxy.port}" for proxy in proxies]


def kill_leader_during_a_fetch(at: Scene, trips: int) -> Node:
    """After so many round trips with it; gives who led. All was fetched nevertheless."""
    role, proxies = at.approle(), proxied(at.case, at.cluster, delay_ms=150)
    at.contract(addresses_of(proxies), role)
    running = at.start(role)
    wait_until(lambda: proxies[0].round_trips >= trips, "a request")
    killed = at.cluster.kill_leader()
    said = at.gets_all(running)
    assert not lacks(said, ["a node of Vault's does not serve", str(proxies[0].port)]), said
    assert sum(proxy.round_trips for proxy in proxies[1:]) >= 2
    return killed


def test_the_leader_is_killed_during_a_fetch_and_then_passed_over(case: Case) -> None:
    with scene(case) as at:
        killed = kill_leader_during_a_fetch(at, trips=1)  # the log-in
        at.contract([killed.address, *at.cluster.addresses])
        said = at.gets_all(at.start())
        assert not lacks(said, ["a node of Vault's does not serve", killed.address]), said
        killed.start()  # and stays sealed
        wait_until(lambda: at.cluster.sealed(killed), "a sealed node", killed.program)
        assert "it answered 503" in at.gets_all(at.start())
        if os.environ.get("AGENT_LONG"):
            at.cluster.whole()
            kill_leader_during_a_fetch(at, trips=2)  # the reads


def test_the_leader_is_killed_during_a_rotation_and_nothing_is_lost(case: Case) -> None:
    with scene(case) as at:
        path, first = at.paths["S0"], at.values["S0"]
        proxies = proxied(case, at.cluster, delay_ms=100)
        case.folder.write("contract.json", json.dumps({
            "contract": 1, "records": f"vault:{path}-record/{{name}}",
            "vault": {"addresses": addresses_of(proxies), "deadline": ELECTION,
                      "redirect_hosts": at.cluster.addresses},
            "vars": {"KEY": {"secret": True, "source": f"vault:{path}#f",
                             "rotate": {"strategy": "random", "bytes": 32, "as": "hex"}}}}))
        env = {"VAULT_TOKEN": at.cluster.token}
        running = case.make_agent().start("rotate", "KEY", env=env)
        wait_until(lambda: proxies[0].round_trips >= 4, "a rotation on its way")
        at.cluster.kill_leader()
        ended = running.wait()
        assert ended.code in (0, 3, 7), ended  # done, or to be gone on with
        if ended.code != 0:
            case.agent("rotate", "KEY", env=env).expect(0)
        place = path.replace("secret/", "secret/data/", 1)
        now = at.cluster.request("GET", place)["data"]["data"]["f"]
        assert now != first and len(case.canaries.add("the new one", now)) == 64
        assert "KEY" in case.agent("rotate", "--status", env=env).expect(0).stdout


def test_the_leader_is_killed_before_a_renewal_and_the_application_goes_on(case: Case) -> None:
    with scene(case) as at:
        lives = {"ttl": "16s", "max_ttl": "1h"}  # longer than an election, also on a busy machine
        site = Site(case, at.cluster, on_change="none", **lives,
                    **{f"token_{name}": life for name, life in lives.items()})
        contract = json.loads((case.folder / "contract.json").read_text())
        del contract["vault"]["address"]
        contract["vault"].update(addresses=at.cluster.addresses, redirect_hosts=at.cluster.addresses)
        case.folder.write("contract.json", json.dumps(contract))
        at.cluster.settle()
        site.start(sys.executable, "app.py")
        at.cluster.kill_leader()
        before = len(site.seen())
        site.until(lambda: site.metric("renewals_total") >= 2, "renewals at the next leader")
        site.until(lambda: len(site.seen()) > before + 10, "log-ins behind it")
        said = site.end()
        assert [line for line in site.seen() if not line.startswith("in ")] == [], said


def test_without_a_majority_it_is_waited_for_one(case: Case) -> None:
    with scene(case) as at:
        role, gone = at.approle(), [at.cluster.standbys()[0], at.cluster.leader()]
        for node in gone:
            assert node is not None and node.program is not None
            node.program.kill()
        at.contract(at.cluster.addresses, role, deadline="1s")
        refused = at.start(role).wait().expect(3)
        assert not lacks(refused.stderr, ["log in at", "attempts)"]), refused
        at.contract(at.cluster.addresses, role)
        running = at.start(role)
        for node in gone:
            at.cluster.restart(node)
        at.gets_all(running)


def test_what_was_logged_in_at_a_standby_is_known_there(case: Case) -> None:
    """A log-in is a write; a standby that has not seen it yet would say that the token is none."""
    with scene(case) as at:
        role = at.approle()
        at.contract([at.cluster.standbys()[0].address], role)
        for _ in range(4):
            at.gets_all(at.start(role))


def test_a_standby_that_hangs_is_left_within_its_timeout(case: Case) -> None:
    with scene(case) as at:
        standby = at.cluster.standbys()[0]
        assert standby.program is not None
        standby.program.process.send_signal(signal.SIGSTOP)
        case.defer(lambda: standby.program and standby.program.process.send_signal(signal.SIGCONT))
        at.contract([standby.address, *at.cluster.addresses], timeout="1s")
        said = at.gets_all(at.start())
        assert not lacks(said, ["does not serve", standby.address]), said
        standby.program.process.send_signal(signal.SIGCONT)
